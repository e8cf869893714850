"""The one way in: ids, idempotency, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from angarium.brokers.memory import MemoryBroker
from angarium.errors import Invalid, Unavailable
from angarium.model.event import Event
from angarium.model.reasons import Priority
from angarium.pipeline.accept import Accept, Accepted, Conflict, Draft, Limits, uuid7
from angarium.pipeline.releases import Releases
from angarium.ports.broker import Record
from angarium.testing import Harness

PROJECT = {
    "workflows/code.toml": b'on = "code"\ncategory = "codes"\nsteps = [{ send = "sms" }]\nsms = { text = "x" }\n',
    "categories.toml": b'[codes]\npriority = "critical"\n',
}


def draft(type: str = "code", to: Any = None, data: Any = None, **attributes: Any) -> Draft:  # noqa: A002
    return Draft(attributes={"type": type, **attributes}, data=Raw(msgspec.json.encode(data)), to=to)


def way_in(harness: Harness, limits: Limits | None = None) -> Accept:
    return Accept(
        harness.broker,
        harness.database,
        Releases(harness.release),
        harness.topics,
        harness.clock,
        harness.metrics,
        limits or Limits(),
    )


async def stored(harness: Harness) -> list[Record]:
    topics = [harness.topics.events(priority) for priority in Priority]
    async with harness.broker.consumer(topics, "reader") as consumer:
        return list(await consumer.poll(1000, 0))


async def test_an_event_lies_in_the_lane_of_its_best_workflow() -> None:
    async with Harness(PROJECT) as harness:
        await way_in(harness).accept([draft(), draft("unheard.of")])
        assert [record.topic.rpartition(".")[2] for record in await stored(harness)] == ["critical", "normal"]


async def test_what_the_producer_said_travels_unchanged_and_ours_is_added() -> None:
    async with Harness(PROJECT) as harness:
        await way_in(harness).accept([draft(id="e1", source="/shop", myext="kept", data={"a": [1.0, "ü"]})], "acme")
        [record] = await stored(harness)
        assert msgspec.json.decode(record.value)["myext"] == "kept"
        event = msgspec.json.decode(record.value, type=Event)
        assert (event.id, event.source, event.angtenant, bytes(event.data)) == (
            "e1", "/shop", "acme", b'{"a":[1.0,"\xc3\xbc"]}',
        )  # fmt: skip


async def test_the_same_key_and_body_is_the_same_event() -> None:
    async with Harness(PROJECT) as harness:
        accept = way_in(harness)
        first = await accept.accept([draft()], key="k1", body=b"{}")
        assert await accept.accept([draft()], key="k1", body=b"{}") == first
        assert len(await stored(harness)) == 1


async def test_a_key_that_was_published_but_not_remembered_makes_the_same_id() -> None:
    """A crash between the publish and the remembering: the repeat must be the same event to the Router."""
    async with Harness(PROJECT) as harness:
        first = await way_in(harness).accept([draft()], key="k1", body=b"{}")
        await harness.database.write(lambda c: c.exec_driver_sql("DELETE FROM idempotency"))
        assert await way_in(harness).accept([draft()], key="k1", body=b"{}") == first


async def test_the_same_key_with_another_body_is_a_conflict() -> None:
    async with Harness(PROJECT) as harness:
        accept = way_in(harness)
        await accept.accept([draft()], key="k1", body=b"{}")
        with pytest.raises(Conflict):
            await accept.accept([draft()], key="k1", body=b"[]")


async def test_two_bodies_that_race_for_a_key_do_not_both_win() -> None:
    async with Harness(PROJECT) as harness:
        accept = way_in(harness)
        racing = [accept.accept([draft(data=n)], key="k1", body=b"%d" % n) for n in range(5)]
        answers = await asyncio.gather(*racing, return_exceptions=True)
        assert sum(not isinstance(answer, Conflict) for answer in answers) == 1
        assert len(await stored(harness)) == 1


async def test_keys_of_two_tenants_are_independent() -> None:
    async with Harness(PROJECT) as harness:
        accept = way_in(harness)
        [one] = await accept.accept([draft()], "acme", key="k1", body=b"{}")
        [other] = await accept.accept([draft()], "globex", key="k1", body=b"[]")
        assert one.id != other.id


async def test_a_key_is_forgotten_after_seven_days() -> None:
    async with Harness(PROJECT) as harness:
        accept = way_in(harness)
        await accept.accept([draft()], key="k1", body=b"{}")
        harness.clock.advance(7 * 86400.0 + 1)
        await accept.accept([draft()], key="k1", body=b"[]")
        assert len(await stored(harness)) == 2


@pytest.mark.parametrize(
    ("event", "where"),
    [
        (draft(id=""), "/id"),
        (draft(id=7), "/id"),
        (draft(source="\x00"), "/source"),
        (draft(type=""), "/type"),
        (draft(type="x" * 2000), "/type"),
        (draft(subject="\ud800"), "/subject"),
        (draft(time="yesterday"), "/time"),
        (draft(time="2026-01-01T00:00:00"), "/time"),
        (draft(to={"email": "nobody"}), "/to/email"),
        (draft(to=[{"id": "a"}, {"mail": "x"}]), "/to/1/mail"),
        (draft(to=[]), "/to"),
        (draft(data="x" * 300_000), "/data"),
    ],
)
async def test_what_cannot_be_used_is_refused_with_its_place(event: Draft, where: str) -> None:
    async with Harness(PROJECT) as harness:
        with pytest.raises(Invalid) as caught:
            await way_in(harness).accept([event])
        assert caught.value.where == where
        assert caught.value.mend
        assert await stored(harness) == []


async def test_a_batch_is_all_or_nothing_and_names_the_event() -> None:
    async with Harness(PROJECT) as harness:
        with pytest.raises(Invalid) as caught:
            await way_in(harness).accept([draft(), draft(), draft(id="")])
        assert caught.value.where == "/2/id"
        assert await stored(harness) == []


async def test_too_many_events_and_recipients_are_refused_with_the_limit() -> None:
    async with Harness(PROJECT) as harness:
        accept = way_in(harness, Limits(batch_events=2, recipients=2))
        with pytest.raises(Invalid, match="more than 2 events"):
            await accept.accept([draft()] * 3)
        with pytest.raises(Invalid, match="more than 2 recipients"):
            await accept.accept([draft(to=["a", "b", "c"])])


class AwayOnce(MemoryBroker):
    """A broker that does not answer the first publish."""

    away = True

    async def publish(self, records: Sequence[Record]) -> None:
        if self.away:
            self.away = False
            raise Unavailable("broker")
        await super().publish(records)


async def test_nothing_is_remembered_of_what_was_not_stored() -> None:
    """A false "accepted" would lose the event for good."""
    async with Harness(PROJECT) as harness:
        harness.broker = AwayOnce(harness.clock)
        await harness.broker.prepare(harness.topics.every())
        accept = way_in(harness)
        with pytest.raises(Unavailable):
            await accept.accept([draft()], key="k1", body=b"{}")
        await accept.accept([draft()], key="k1", body=b"{}")
        assert len(await stored(harness)) == 1


async def test_an_empty_batch_is_nothing() -> None:
    async with Harness(PROJECT) as harness:
        assert await way_in(harness).accept([]) == ()


def test_ids_without_anything_to_hash_sort_by_time() -> None:
    ids = [uuid7(1_700_000_000.0 + step) for step in range(5)]
    assert ids == sorted(ids)
    assert {name[14] for name in ids} == {"7"}


def test_what_is_accepted_says_no_more_than_it_must() -> None:
    assert Accepted.__struct_fields__ == ("id", "source")
