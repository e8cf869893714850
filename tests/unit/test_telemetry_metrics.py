"""Metrics: the names are as promised, the number of series is bounded, and a scrape never shows what is stale."""

from __future__ import annotations

import asyncio
import itertools
import platform
import subprocess
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from angarium.errors import Unavailable
from angarium.model.channels import CHANNELS
from angarium.model.reasons import Outcome, Priority, Reason, Status
from angarium.telemetry import families
from angarium.telemetry.families import Family
from angarium.telemetry.metrics import Metrics
from angarium.telemetry.readings import Readings

NOW = 1_000_000.0
#: The registry's own view of the process, which comes beside the families.
PROCESS = 6


def made(accounts: tuple[str, ...] = ("sendgrid", "twilio"), fresh: float = 0.0) -> Metrics:
    return Metrics(version="1.2.3", accounts=accounts, now=lambda: NOW, fresh=fresh)


async def scrape(metrics: Metrics) -> dict[str, float]:
    """By `name{label="value",...}`, the labels sorted and without the prefix."""
    found = text_string_to_metric_families((await metrics.render()).decode())
    return {
        sample.name.removeprefix("angarium_")
        + "{"
        + ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        + "}": sample.value
        for family in found
        for sample in family.samples
    }


async def reading(**values: object) -> Readings:
    return Readings(**values)  # type: ignore[arg-type]


def exercise(metrics: Metrics) -> None:
    """Every method once."""
    metrics.accepted(Priority.critical, 3)
    metrics.decided(Outcome.matched)
    metrics.delivery("email", "sendgrid", Priority.normal, Status.sent, Reason.accepted)
    metrics.delivery("sms", None, Priority.normal, Status.planned, None)
    metrics.called_after("email", Priority.normal, 0.2)
    metrics.delivered_after("email", Priority.normal, 2.0)
    metrics.call("sendgrid", "sent", 0.05)
    metrics.callback("sendgrid", "accepted", 2)
    metrics.breaker("twilio", True)
    metrics.concurrency("twilio", 8)
    metrics.dead(Reason.undecodable)
    metrics.window("router", 500)
    metrics.polled("router", NOW - 3)
    metrics.restarted()
    metrics.release("rel_1")


async def test_what_is_counted_is_scraped() -> None:
    metrics = made()
    exercise(metrics)

    found = await scrape(metrics)

    expected = {
        "events_accepted_total{priority=critical}": 3,
        "events_decided_total{outcome=matched}": 1,
        "deliveries_total{account=sendgrid,channel=email,priority=normal,reason=accepted,status=sent}": 1,
        "deliveries_total{account=,channel=sms,priority=normal,reason=,status=planned}": 1,
        "accepted_to_called_seconds_bucket{channel=email,le=0.1,priority=normal}": 0,
        "accepted_to_called_seconds_bucket{channel=email,le=0.3,priority=normal}": 1,
        "accepted_to_delivered_seconds_sum{channel=email,priority=normal}": 2,
        "call_seconds_count{account=sendgrid}": 1,
        "calls_total{account=sendgrid,result=sent}": 1,
        "callbacks_total{account=sendgrid,result=accepted}": 2,
        "breaker_open{account=twilio}": 1,
        "account_concurrency{account=twilio}": 8,
        "dead_total{reason=undecodable}": 1,
        "window_records{worker=router}": 500,
        "poll_age_seconds{worker=router}": 3,
        "worker_restarts_total{}": 1,
        "release_info{release=rel_1,version=1.2.3}": 1,
        f"build_info{{python={platform.python_version()},version=1.2.3}}": 1,
    }
    assert {name: found.get(name) for name in expected} == expected


async def test_every_family_appears_under_its_own_name_and_nothing_else_does() -> None:
    metrics = made()
    metrics.read = lambda: reading(lag={("t", "g"): (1, 2.0)})
    exercise(metrics)

    text = (await metrics.render()).decode()

    shown = [line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE angarium_")]
    assert sorted(shown) == sorted([family.name, family.kind] for family in families.families())
    assert "_created" not in text


async def test_a_value_outside_the_closed_sets_becomes_other() -> None:
    metrics = made()
    metrics.delivery("pigeon", "nobody", "urgent", "lost", "weather")
    metrics.accepted("urgent")
    metrics.call("nobody", "sent", 1.0)

    found = await scrape(metrics)

    assert found["deliveries_total{account=other,channel=other,priority=other,reason=other,status=other}"] == 1
    assert found["events_accepted_total{priority=other}"] == 1
    assert found["calls_total{account=other,result=sent}"] == 1


async def test_the_first_accounts_are_named_and_the_rest_are_counted_together() -> None:
    accounts = tuple(f"account_{n}" for n in range(families.MOST_ACCOUNTS + 3))
    metrics = made(accounts)
    for account in accounts:
        metrics.call(account, "sent", 0.1)

    found = await scrape(metrics)

    assert found[f"calls_total{{account={accounts[families.MOST_ACCOUNTS - 1]},result=sent}}"] == 1
    assert found["calls_total{account=other,result=sent}"] == 3


async def test_a_full_family_gives_up_the_reason_first_and_loses_no_count() -> None:
    accounts = tuple(f"account_{n}" for n in range(20))
    metrics = made(accounts)
    changes = list(itertools.product(CHANNELS[:2], accounts, Priority, Status, [Reason.accepted, Reason.timeout]))
    for channel, account, priority, status, reason in changes:
        metrics.delivery(channel, account, priority, status, reason)

    found = {name: value for name, value in (await scrape(metrics)).items() if name.startswith("deliveries_total")}

    assert sum(found.values()) == len(changes)
    assert len(found) <= families.DELIVERIES.limit
    folded = [name for name in found if "reason=other" in name]
    assert any("status=other" not in name for name in folded)


async def test_a_flood_of_unforeseen_values_stays_below_the_limit_of_series() -> None:
    metrics = made(tuple(f"account_{n}" for n in range(40)))
    metrics.read = lambda: reading(lag={(f"topic_{n}", "g"): (1, float(n)) for n in range(1000)})
    for n in range(10_000):
        name = f"x{n}"
        metrics.delivery(CHANNELS[n % 8], f"account_{n % 40}", name, [*Status][n % 14], [*Reason][n % len(Reason)])
        metrics.decided(name)
        metrics.dead(name)
        metrics.window(name, 1)
        metrics.polled(name, NOW)
        metrics.call(f"account_{n % 50}", "sent", 0.1)
        metrics.callback(name, "forged")
        metrics.called_after(name, name, 1.0)
        metrics.release(name)

    found = await scrape(metrics)

    assert len(found) <= families.MOST_SERIES
    assert found["lag_records{group=other,topic=other}"] == 1000 - families.MOST_LANES + 1
    assert found["lag_seconds{group=other,topic=other}"] == 999


def test_the_limits_of_all_families_together_keep_below_the_limit_of_series() -> None:
    assert families.series() + PROCESS <= families.MOST_SERIES


async def test_what_only_the_stores_know_is_read_at_each_scrape() -> None:
    metrics = made()
    assert "unknown_deliveries{}" not in await scrape(metrics)
    metrics.read = lambda: reading(
        lag={("journal", "dispatcher"): (7, 1.5)}, oldest_unfinished=9.0, unknown=2, parked=1, oldest_due_timer=4.0
    )

    found = await scrape(metrics)

    assert found["lag_records{group=dispatcher,topic=journal}"] == 7
    assert found["lag_seconds{group=dispatcher,topic=journal}"] == 1.5
    assert found["oldest_unfinished_seconds{}"] == 9
    assert (found["unknown_deliveries{}"], found["parked_deliveries{}"]) == (2, 1)
    assert found["oldest_due_timer_seconds{}"] == 4


async def test_a_store_that_does_not_answer_leaves_its_gauges_absent_and_is_counted() -> None:
    async def unavailable() -> Readings:
        raise Unavailable("database")

    metrics = made()
    metrics.read = reading
    assert "parked_deliveries{}" in await scrape(metrics)
    metrics.read = unavailable

    found = await scrape(metrics)

    assert "parked_deliveries{}" not in found
    assert found["scrape_failures_total{}"] == 1


async def test_a_store_that_hangs_does_not_hold_the_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> Readings:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("angarium.telemetry.metrics.PATIENCE", 0.001)
    metrics = made()
    metrics.read = hang

    assert (await scrape(metrics))["scrape_failures_total{}"] == 1


async def test_a_flood_of_scrapes_asks_the_stores_once() -> None:
    asked = []

    async def ask() -> Readings:
        asked.append(1)
        await asyncio.sleep(0)
        return Readings()

    metrics = made(fresh=60.0)
    metrics.read = ask

    texts = await asyncio.gather(*(metrics.render() for _ in range(100)))

    assert len(asked) == 1
    assert len(set(texts)) == 1


async def test_a_new_release_takes_the_place_of_the_old_one() -> None:
    metrics = made()
    metrics.release("rel_1")
    metrics.release("rel_2")

    assert [name for name in await scrape(metrics) if name.startswith("release_info")] == [
        "release_info{release=rel_2,version=1.2.3}"
    ]


async def test_two_sets_of_metrics_share_nothing() -> None:
    one, other = made(), made()
    one.accepted(Priority.bulk)

    assert "events_accepted_total{priority=bulk}" in await scrape(one)
    assert "events_accepted_total{priority=bulk}" not in await scrape(other)


async def test_a_clock_that_was_set_back_makes_no_negative_age() -> None:
    metrics = made()
    metrics.polled("router", NOW + 60)

    assert (await scrape(metrics))["poll_age_seconds{worker=router}"] == 0


@pytest.mark.parametrize("family", families.families(), ids=lambda family: family.name)
def test_each_family_says_what_it_is_in_a_sentence(family: Family) -> None:
    assert family.name.startswith("angarium_")
    assert family.help.endswith(".")
    assert (family.kind == "histogram") == bool(family.buckets)
    assert family.limit > family.spare or not family.labels


async def test_promtool_has_nothing_to_say(program: Callable[[str], str]) -> None:
    metrics = made()
    metrics.read = lambda: reading(lag={("journal", "dispatcher"): (7, 1.5)})
    exercise(metrics)

    promtool = program("promtool")
    judged = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=await metrics.render(), capture_output=True, check=False
    )

    assert (judged.returncode, judged.stdout, judged.stderr) == (0, b"", b"")
