"""`explain`, `audit`, `dead` and `keys`: what a server tells, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from angarium.api.dead import Letter
from angarium.api.keys import Key, MadeKey
from angarium.cli import account, stories
from angarium.model.reasons import Reason, Status
from angarium.pipeline.audit import Audit, audit
from angarium.pipeline.explain import Explanation, explain
from angarium.testing import Harness
from tests.unit.answering import Answer, Answering, answering
from tests.unit.shell import Shell

PROJECT = {
    "workflows/welcome.toml": b"""
on = "user.signed_up"
steps = [{ send = ["email", "sms"] }, { delay = "1h" }, { send = "email" }]
email = { subject = "Welcome", text = "Hello" }
sms = { text = "Hello" }
"""
}


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as script:
        yield script


@pytest.fixture
def shell(server: Answering, tmp_path: Path) -> Shell:
    return Shell(tmp_path, server.url)


async def happened() -> tuple[Explanation, Audit]:
    """Anna was told by e-mail, has no telephone, and waits for the second step; what the server says of it."""
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to={"id": "anna", "email": "anna@example.com"}, id="e-1")
        [email, _] = await harness.deliveries()
        await harness.report(email, Status.delivered)
        told = await explain(harness.database, tenant="default", event="e-1", now=harness.clock.now())
        return told, await audit(harness.broker, harness.database, harness.topics, harness.clock)


def plain(value: Any) -> Any:
    """As it arrives."""
    return msgspec.json.decode(msgspec.json.encode(value))


def page(*items: Any) -> Answer:
    return Answer(200, {"items": list(items), "next": None})


def letter(number: int, replayed: str | None = None) -> Letter:
    return Letter(
        id=f"dead_{number}",
        topic="angarium.dev.events.normal",
        partition=0,
        offset=number,
        key="k",
        size=9,
        reason=Reason.undecodable,
        detail="it is no JSON",
        at="2026-01-01T00:00:00.000Z",
        replayed=replayed,
        value="no JSON\x1b[2J",
    )


async def test_an_explanation_is_told_in_the_servers_own_sentences(shell: Shell, server: Answering) -> None:
    found, _ = await happened()
    server.on("GET /v1/explain", Answer(200, found))
    ran = shell.run("explain", "--event", "e-1", "--source", "/v1/events", "--limit", "5")
    [story] = found.notifications

    assert ran.code == 0
    assert server.asked[0].target == "/v1/explain?event=e-1&source=%2Fv1%2Fevents&limit=5"
    assert "event e-1 user.signed_up" in ran.out
    assert "matched: started welcome" in ran.out
    assert f"notification {story.id} to anna" in ran.out
    assert all(decision.sentence in ran.out for decision in story.decisions)
    assert "anna@example.com" not in ran.out


async def test_the_timeline_is_told_for_one_notification_or_when_it_is_wanted(shell: Shell, server: Answering) -> None:
    found, _ = await happened()
    server.on("GET /v1/explain", Answer(200, found))
    outputs = [shell.run("explain", *words).out for words in (["--notification", "ntf_1"], ["--timeline"], [])]
    first = found.notifications[0].timeline[0]

    assert [f"      {first.at} {first.kind}" in out for out in outputs] == [True, True, False]


async def test_json_is_the_servers_own(shell: Shell, server: Answering) -> None:
    found, counted = await happened()
    server.on("GET /v1/explain", Answer(200, found))
    server.on("GET /v1/audit", Answer(200, counted))

    assert shell.run("explain", "--json").document == plain(found)
    assert shell.run("audit", "--json").document == plain(counted)


def test_nothing_known_is_said(shell: Shell, server: Answering) -> None:
    server.on("GET /v1/explain", Answer(200, {"events": [], "notifications": [], "more": False}))

    assert "no notification fits" in shell.run("explain", "--recipient", "nobody").out


def test_data_cannot_steer_the_terminal(shell: Shell, server: Answering) -> None:
    event = {"id": "\x1b]0;x\x07[bold]", "sentence": "a\nb", "outcome": "dead"}
    server.on("GET /v1/explain", Answer(200, {"events": [event], "notifications": [], "more": True}))
    ran = shell.run("explain", "--event", "x")

    assert "\x1b" not in ran.out
    assert "[bold]" in ran.out
    assert "a?b" in ran.out
    assert "--limit" in ran.out


async def test_an_audit_ends_with_its_verdict(shell: Shell, server: Answering) -> None:
    _, counted = await happened()
    server.on("GET /v1/audit", Answer(200, counted))
    ran = shell.run("audit")

    assert ran.code == 0
    assert "1 records, 1 distinct, 1 matched" in ran.out
    assert ran.out.splitlines()[-1] == "Nothing is missing so far; some of it is still under way."
    assert counted.unfinished[0].id in ran.out


async def test_a_hole_is_named_and_is_the_exit_code(shell: Shell, server: Answering) -> None:
    hole = {"what": "run", "id": "run_1", "problem": "names 2 notifications, 1 is there"}
    server.on("GET /v1/audit", Answer(200, {"ok": False, "complete": True, "holes": [hole], "hole_count": 1}))
    ran = shell.run("audit")

    assert ran.code == 1
    assert "hole: run run_1: names 2 notifications, 1 is there" in ran.out
    assert "1 HOLES" in ran.out.splitlines()[-1]


def test_a_clean_audit_says_so(shell: Shell, server: Answering) -> None:
    tally = {"channel": "sms", "status": "failed", "reason": "opted_out", "count": 3}
    server.on("GET /v1/audit", Answer(200, {"ok": True, "complete": True, "deliveries": [tally]}))
    out = shell.run("audit").out

    assert out.splitlines()[-1].startswith("Nothing is missing: everything")
    assert "3  sms      failed  opted_out" in out


@pytest.mark.parametrize("command", ["audit", "explain"])
def test_an_answer_of_another_kind_is_no_traceback(command: str, shell: Shell, server: Answering) -> None:
    server.on(f"GET /v1/{command}", Answer(200, {"ok": "yes", "events": "none"}))
    ran = shell.run(command)

    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "another version" in ran.err


async def test_what_is_shown_is_all_there_in_what_the_server_tells() -> None:
    """A field renamed there must not be silently empty here."""
    found, counted = await happened()
    pairs: list[tuple[Any, Any]] = [
        (account.audit(plain(counted)), counted),
        (stories.explanation(plain(found)), found),
    ]
    pairs += [(pairs[1][0].events[0], found.events[0]), (pairs[1][0].events[0].runs[0], found.events[0].runs[0])]
    pairs += [(pairs[1][0].notifications[0], found.notifications[0])]
    pairs += [(pairs[-1][0].decisions[0], found.notifications[0].decisions[0])]
    pairs += [(pairs[-2][0].timeline[0], found.notifications[0].timeline[0])]

    for read, told in pairs:
        assert set(read.__struct_fields__) <= set(told.__struct_fields__), type(told)


def test_dead_letters_are_listed_with_their_reasons(shell: Shell, server: Answering) -> None:
    server.on("GET /v1/dead", page(letter(1), letter(2)))
    ran = shell.run("dead", "list")

    assert [line.split()[0] for line in ran.out.splitlines()] == ["id", "dead_1", "dead_2"]
    assert "undecodable" in ran.out
    assert [item["id"] for item in shell.run("dead", "list", "--json").document] == ["dead_1", "dead_2"]


def test_no_dead_letters_are_good_news(shell: Shell, server: Answering) -> None:
    server.on("GET /v1/dead", page())

    assert shell.run("dead", "list").out == "No dead letters.\n"
    assert shell.run("dead", "list", "--json").document == []


def test_a_dead_letter_is_shown_without_its_control_characters(shell: Shell, server: Answering) -> None:
    server.on("GET /v1/dead/dead_1", Answer(200, letter(1)))
    ran = shell.run("dead", "show", "dead_1")

    assert "value      no JSON?[2J" in ran.out.splitlines()
    assert shell.run("dead", "show", "dead_1", "--json").document["value"] == "no JSON\x1b[2J"


def test_a_letter_that_is_not_there_is_a_failure(shell: Shell) -> None:
    assert shell.run("dead", "show", "dead_9").code == 1


def test_dead_letters_are_put_back_one_by_one(shell: Shell, server: Answering) -> None:
    for number in (1, 2):
        server.on(f"POST /v1/dead/dead_{number}/replay", Answer(202, {"id": f"dead_{number}", "topic": "events"}))
    ran = shell.run("dead", "replay", "dead_1", "dead_2")

    assert ran.out.splitlines() == ["dead_1 is on events again", "dead_2 is on events again"]


@pytest.mark.parametrize(("words", "names"), [([], ["dead_2"]), (["--again"], ["dead_1", "dead_2"])])
def test_all_are_those_that_were_not_put_back_before(
    words: list[str], names: list[str], shell: Shell, server: Answering
) -> None:
    server.on("GET /v1/dead", page(letter(1, replayed="2026-01-02T00:00:00.000Z"), letter(2)))
    for number in (1, 2):
        server.on(f"POST /v1/dead/dead_{number}/replay", Answer(202, {"id": f"dead_{number}", "topic": "events"}))
    ran = shell.run("dead", "replay", "--all", "--json", *words)

    assert [line["id"] for line in ran.lines] == names
    assert all(("again=true" in asked.target) == bool(words) for asked in server.asked[1:])


def test_nothing_to_put_back_is_said(shell: Shell, server: Answering) -> None:
    server.on("GET /v1/dead", page())

    assert shell.run("dead", "replay", "--all").out == "Nothing to put back.\n"


@pytest.mark.parametrize("words", [[], ["dead_1", "--all"]])
def test_what_to_put_back_must_be_said_in_one_way(words: list[str], shell: Shell, server: Answering) -> None:
    assert shell.run("dead", "replay", *words).code == 2
    assert server.asked == []


def test_a_letter_that_went_back_before_is_a_failure(shell: Shell, server: Answering) -> None:
    server.on("POST /v1/dead/dead_1/replay", Answer(409, {"title": "Conflict", "detail": "it was published again"}))
    ran = shell.run("dead", "replay", "dead_1")

    assert (ran.code, ran.out) == (1, "")
    assert "it was published again" in ran.err


def made(**changes: Any) -> dict[str, Any]:
    key = MadeKey(
        id="key_1",
        name="ci",
        scopes=["publish", "read"],
        created="2026-01-01T00:00:00.000Z",
        expires=None,
        revoked=None,
        used=None,
        key="ang_live_1_secret",
    )
    return {**plain(key), **changes}


def test_a_new_keys_text_stands_alone_on_stdout(shell: Shell, server: Answering) -> None:
    server.on("POST /v1/keys", Answer(201, made()))
    ran = shell.run("keys", "create", "ci", "--scope", "publish", "--scope", "read")

    assert ran.out == "ang_live_1_secret\n"
    assert "key_1 may publish, read" in ran.err
    assert "secret" not in ran.err
    assert msgspec.json.decode(server.asked[0].body) == {"name": "ci", "scopes": ["publish", "read"]}


def test_a_key_may_publish_unless_more_is_asked_for_and_may_end(shell: Shell, server: Answering) -> None:
    server.on("POST /v1/keys", Answer(201, made()))
    assert shell.run("keys", "create", "ci", "--expires", "30d", "--json").document["key"] == "ang_live_1_secret"
    asked = msgspec.json.decode(server.asked[0].body)
    left = datetime.fromisoformat(asked["expires"]) - datetime.now(UTC)

    assert asked["scopes"] == ["publish"]
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)


def test_keys_are_listed_without_secrets_and_revoked_by_id(shell: Shell, server: Answering) -> None:
    server.on("GET /v1/keys", page({name: made()[name] for name in Key.__struct_fields__}))
    server.on("DELETE /v1/keys/key_1", Answer(204))

    assert "publish, read" in shell.run("keys", "list").out
    assert shell.run("keys", "list", "--json").document[0]["id"] == "key_1"
    assert shell.run("keys", "revoke", "key_1").out == "key_1 is revoked.\n"
    assert shell.run("keys", "revoke", "key_1", "--json").document == {"id": "key_1", "revoked": True}
