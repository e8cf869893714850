"""The audit counts everything, is silent about a pipeline that works, and takes nothing away from it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from angarium.model.reasons import Priority, Progress, Reason, Status
from angarium.model.result import Retry
from angarium.pipeline.audit import Audit, Groups, Tally
from angarium.pipeline.recount import Recount
from angarium.testing import Harness
from tests.unit.audited import ANNA, PROJECT, a_bit_of_everything, break_, look


async def test_an_empty_pipeline_is_whole_and_at_rest() -> None:
    async with Harness(PROJECT) as harness:
        found = await look(harness)

        assert (found.ok, found.complete, found.lag, found.unfinished) == (True, True, {}, ())
        assert (found.events.records, found.runs, found.deliveries) == (0, 0, ())


async def test_everything_is_counted_and_nothing_is_missing() -> None:
    async with Harness(PROJECT) as harness:
        await a_bit_of_everything(harness)
        found = await look(harness)

        assert found.holes == ()
        e = found.events
        assert (e.records, e.distinct, e.matched, e.unmatched, e.repeated, e.dead, e.unread) == (7, 5, 4, 1, 1, 1, 0)
        assert e.records == e.distinct + e.repeated + e.dead + e.unread
        assert found.runs == 4
        assert found.notifications == {Progress.done: 2, Progress.running: 3}
        assert (found.parked, found.unknown, found.lag) == (1, 0, {})
        assert Tally("email", Status.skipped, Reason.no_address, 1) in found.deliveries
        assert Tally("inbox", Status.sent, Reason.accepted, 3) in found.deliveries
        assert sum(tally.count for tally in found.deliveries) == len(await harness.deliveries())


async def test_at_rest_it_is_complete() -> None:
    async with Harness(PROJECT) as harness:
        await a_bit_of_everything(harness)
        assert not (await look(harness)).complete

        await harness.advance("2d")
        for delivery in await harness.deliveries():
            if delivery.status is Status.sent:
                await harness.report(delivery, Status.delivered)
        found = await look(harness)
        assert (found.ok, found.complete, found.unfinished) == (True, True, ())


async def test_what_ended_while_it_was_counted_is_not_called_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts still show it running: the two must not contradict each other."""
    async with Harness(PROJECT) as harness:
        await a_bit_of_everything(harness)
        settle = Recount.settle

        async def and_time_passes(recount: Recount, lag: Mapping[str, int]) -> None:
            await settle(recount, lag)
            await harness.advance("9d")

        monkeypatch.setattr(Recount, "settle", and_time_passes)
        found = await look(harness)
        assert found.notifications[Progress.running] > 0
        assert (found.unfinished, found.complete) == ((), False)


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_the_size_of_a_page_changes_nothing(page: int) -> None:
    async with Harness(PROJECT) as harness:
        await a_bit_of_everything(harness)
        await break_(harness, "DELETE FROM deliveries WHERE channel = 'inbox'")

        assert await look(harness, page) == await look(harness)


async def test_it_takes_nothing_away_from_the_workers() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        await look(harness)
        await harness.settle()

        assert len(harness.messages("email")) == 1
        assert (await look(harness)).complete


async def test_records_that_the_router_has_not_read_are_no_holes() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA)
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        found = await look(harness)

        assert (found.ok, found.complete) == (True, False)
        assert (found.events.records, found.events.unread) == (3, 2)
        assert found.lag == {harness.topics.events(Priority.normal): 2}


async def test_more_late_records_than_a_page_are_counted_all_the_same() -> None:
    async with Harness(PROJECT) as harness:
        for _ in range(5):
            await harness.publish("user.signed_up", to=ANNA, settle=False)

        assert (await look(harness, page=2)).events.unread == 5


async def test_what_is_on_its_way_through_the_journal_is_no_hole() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        await harness.router.step()
        found = await look(harness)

        assert (found.ok, found.complete, found.runs, found.notifications) == (True, False, 1, {})
        assert found.lag == {harness.topics.journal(Priority.normal): 1}


async def test_only_channels_with_a_sender_are_asked_for_their_lag() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("user.signed_up", to=ANNA, settle=False)
        await harness.router.step()
        await harness.dispatcher.step()

        both = {harness.topics.deliver(channel, Priority.normal): 1 for channel in ("email", "inbox")}
        assert (await look(harness)).lag == both
        assert (await look(harness, groups=Groups(channels=("sms",)))).lag == {}


async def test_waiting_for_a_report_as_long_as_it_takes_is_none() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("letter.sent", to=ANNA)
        found = await look(harness)

        assert (found.ok, found.complete) == (True, False)
        assert [one.why for one in found.unfinished] == ["running, step 0 (first of) is being done"]


async def test_the_oldest_unfinished_are_told_with_their_age_and_what_they_wait_for() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("trial.started", to=ANNA, data={"plan": "pro"})
        await harness.advance("1h")
        harness.answer("email", Retry(Reason.overloaded))
        await harness.publish("user.signed_up", to=ANNA)

        older, newer = (await look(harness)).unfinished
        assert (older.status, older.age, newer.age) == (Progress.running, 3600.0, 0.0)
        assert older.why.startswith("running, waits until 2023-11-15T22:13:20")
        assert newer.why.startswith("email: waits for try 2 until ")


async def test_holes_are_counted_beyond_those_that_are_told() -> None:
    async with Harness(PROJECT) as harness:
        for number in range(120):
            await harness.publish("nobody.listens", id=f"e{number}", settle=False)
        await harness.settle()
        await break_(harness, "UPDATE events SET run_count = 1")
        found = await look(harness)

        assert (found.hole_count, len(found.holes), found.ok) == (120, 100, False)


async def test_the_result_travels_as_json() -> None:
    async with Harness(PROJECT) as harness:
        await a_bit_of_everything(harness)
        found = await look(harness)

        assert msgspec.json.decode(msgspec.json.encode(found), type=Audit) == found
