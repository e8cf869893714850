"""The Router: who, and nothing else; what is stored is told again as it was."""

from __future__ import annotations

from typing import Any

from angarium.database import rows, runs, tables
from angarium.model.reasons import Outcome, Reason
from angarium.pipeline import records
from angarium.pipeline.router import hash_sum, slices
from angarium.project import load
from angarium.testing import Harness

PROJECT = {
    "workflows/shipped.toml": b'on = "order.*"\nto = "{{ data.who }}"\nsteps = [{ send = "inbox" }]\n'
    b'inbox = { title = "{{ event.type }}" }\n',
    "workflows/any.toml": b'on = "order.paid"\nsteps = [{ send = "inbox" }]\ninbox = { title = "x" }\n',
}
OTHER = {
    "workflows/shipped.toml": PROJECT["workflows/shipped.toml"].replace(b"inbox", b"sms").replace(b"title", b"text")
}


async def stored(harness: Harness) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    events = await harness.database.read(rows.everything, tables.events, runs.EVENT)
    found = await harness.database.read(rows.everything, tables.runs, ("workflow", "named_count", "reason"))
    return [(row[2], row[5], row[6]) for row in events], sorted(tuple(row) for row in found)


async def test_every_event_has_one_outcome() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("order.shipped", id="1", data={"who": ["a", "b"]})
        await harness.publish("nothing", id="2")
        assert await stored(harness) == (
            [("1", Outcome.matched, 1), ("2", Outcome.unmatched, 0)],
            [("shipped", 2, None)],
        )


async def test_a_run_without_anybody_says_so() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("order.shipped", id="1", data={})
        await harness.publish("order.paid", id="2", data={"who": "a"})
        assert (await stored(harness))[1] == [
            ("any", 0, Reason.no_recipient),
            ("shipped", 0, Reason.no_recipient),
            ("shipped", 1, None),
        ]


async def test_the_events_own_recipients_win() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("order.shipped", data={"who": ["a", "b"]}, to={"id": "c"})
        assert [n.user for n in await harness.notifications()] == ["c"]


async def test_a_run_keeps_the_sum_of_its_notifications() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("order.shipped", data={"who": ["a", "b", "c"]})
        [(total,)] = await harness.database.read(rows.everything, tables.runs, ("named_sum",))
        assert total == hash_sum(n.id for n in await harness.notifications())
        assert total != hash_sum(n.id for n in (await harness.notifications())[1:])


async def test_a_repeat_after_a_deploy_starts_nothing_new_and_changes_nothing() -> None:
    """What the first record of an event came to holds, even if its `started` has yet to be published."""
    async with Harness(PROJECT) as harness:
        await harness.publish("order.shipped", id="1", source="/s", data={"who": "a"}, settle=False)
        batch = await harness.router.consumer.poll(10, 0)
        await harness.router.decide(batch)
        before = await stored(harness)
        harness.release = load(OTHER)
        await harness.database.write(_save, PROJECT)
        await harness.start()
        await harness.publish("order.shipped", id="1", source="/s", data={"who": "a"})
        assert await stored(harness) == before
        assert [d.channel for d in await harness.deliveries()] == ["inbox"]


async def test_another_event_under_the_same_id_tells_nobody_new() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("order.shipped", id="1", source="/s", data={"who": "a"})
        await harness.publish("order.shipped", id="1", source="/s", data={"who": "b"})
        assert [n.user for n in await harness.notifications()] == ["a"]


async def test_other_recipients_addresses_do_not_travel_with_a_notification() -> None:
    async with Harness(PROJECT) as harness:
        people = [{"id": "a", "email": "a@example.com"}, {"id": "b", "email": "b@example.com"}]
        await harness.publish("order.shipped", to=people, settle=False)
        await harness.router.step()
        facts = [records.fact(r.value) for r in await harness.dispatcher.consumer.poll(10, 0)]
        texts = {fact.user: records.encode(fact) for fact in facts if hasattr(fact, "user")}
        assert set(texts) == {"a", "b"}
        assert b"b@example.com" not in texts["a"]


def _save(connection: Any, files: dict[str, bytes]) -> None:
    from angarium.database import releases

    release = load(files)
    releases.save(connection, release.id, release.files, 0.0)


async def test_a_batch_is_cut_where_its_facts_would_take_too_much_memory() -> None:
    async with Harness(PROJECT) as harness:
        for number in range(6):
            people = [f"u{n}" for n in range(1000 if number < 4 else 1)]
            await harness.publish("order.shipped", to=people, data={"pad": "x" * 15_000}, settle=False)
        batch = await harness.router.consumer.poll(10, 0)
        assert [len(part) for part in slices(batch)] == [1, 1, 1, 3]
        assert list(slices([])) == []
