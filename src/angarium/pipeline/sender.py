"""The Sender only does and reports: it claims, renders, calls, and writes the answer into the journal.

Order inside a try: rate token, last look, claim, call, publish the fact and settle the claim, commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from angarium.content import Unrenderable
from angarium.database import dead, gate, parks
from angarium.database.gate import Look
from angarium.model.category import Category
from angarium.model.delivery import Handover
from angarium.model.fact import Behind as BehindFact
from angarium.model.fact import Deferred, Dropped, Fact, RejectedFact, SentFact, UnknownFact
from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown
from angarium.pipeline import records
from angarium.pipeline.accounts import LiveAccount, unreadable
from angarium.pipeline.answers import Answers, Told
from angarium.pipeline.handler import letter
from angarium.pipeline.insist import Insistence
from angarium.pipeline.records import Undecodable
from angarium.pipeline.releases import Releases
from angarium.pipeline.topics import Topics
from angarium.pipeline.worker import Stores
from angarium.ports.broker import Batch, Consumer, Record
from angarium.ports.state import Answer, Ask, Behind, Busy, Claim, Done, Go, Lapsed, Release, State, Verdict
from angarium.signing import reference

#: Records of one poll, seconds to wait for the first, and between looks when there is no room.
LIMIT, WAIT, PAUSE = 500, 0.5, 0.05
log = logging.getLogger(__name__)


class Try(Struct, frozen=True):
    """A record with its hand-over, and the account that is to carry it."""

    record: Record
    handover: Handover
    account: LiveAccount


class Surroundings(Struct, frozen=True):
    """What every Sender of a process is given. `secret` signs the references that come back in callbacks."""

    stores: Stores
    state: State
    releases: Releases
    topics: Topics
    accounts: Mapping[str, LiveAccount]
    secret: bytes
    public_url: str


class Sender:
    """One channel's loop, over its three priorities. `order` names the channel's accounts, best first."""

    def __init__(self, channel: str, consumer: Consumer, order: Sequence[str], around: Surroundings) -> None:
        self.name, self.consumer, self.around = f"sender.{channel}", consumer, around
        self.insist = Insistence(self.name)
        self._order = [around.accounts[name] for name in order]
        self._held: list[Try] = []
        self._calling = self._unfinished = 0
        self._stopping, self._freed = asyncio.Event(), asyncio.Event()
        stores = around.stores
        self._answers = Answers(
            self.name, stores.broker, around.state, consumer, stores.clock, lambda: self._calling, self._finished
        )

    def stop(self) -> None:
        """Poll no more; `run` returns when every call is answered and every answer is published."""
        self._stopping.set()
        self._freed.set()

    async def run(self) -> None:
        """Raises `Incompatible` for a record of a newer version, or what is a defect."""
        async with self.consumer, asyncio.TaskGroup() as group:
            group.create_task(self._answers.run())
            async with asyncio.TaskGroup() as calls:
                while not self._stopping.is_set():
                    await self._turn(calls)
            self._answers.close()

    async def step(self) -> int:
        """One batch from poll to commit, without waiting for one; how many records it held. For tests."""
        batch = await self.consumer.poll(max(0, min(self._room(), LIMIT)), 0)
        self._unfinished += len(batch)
        async with asyncio.TaskGroup() as calls:
            await self._admit(batch, calls)
        await self._answers.flush()
        return len(batch)

    async def _turn(self, calls: asyncio.TaskGroup) -> None:
        room = self._room()
        if room <= 0 or self._held:
            await self._pause()
        batch = await self.insist(self.consumer.poll, max(0, min(room, LIMIT)), WAIT if room > 0 else 0.0)
        self.around.stores.metrics.polled(self.name, self.around.stores.clock.now())
        if batch or self._held:
            self._unfinished += len(batch)
            await self._admit(batch, calls)
        self.around.stores.metrics.window(self.name, self._unfinished)

    def _room(self) -> int:
        """Free calls of the account that is to be used; an answer that is not in the journal keeps its place."""
        if self._answers.stale or self._held:
            return 0
        free = next((account.free for account in self._order if account.free), 0)
        return free - (self._unfinished - self._calling)

    async def _pause(self) -> None:
        self._freed.clear()
        try:
            async with asyncio.timeout(PAUSE):
                await self._freed.wait()
        except TimeoutError:
            pass

    def _finished(self, count: int) -> None:
        self._unfinished -= count
        self._freed.set()

    async def _admit(self, batch: Batch, calls: asyncio.TaskGroup) -> None:
        """From records to calls, a trip a store. A delivery that comes twice in a batch waits for the next turn."""
        fresh = [t for record in batch if (t := await self._decode(record)) is not None]
        once = {t.handover.delivery: t for t in reversed([*self._held, *fresh])}
        again = [t for t in (*self._held, *fresh) if once[t.handover.delivery] is not t]
        tries = await self._rated(list(once.values()))
        self._held.extend(again)
        if not tries:
            return
        categories = {t.handover.delivery: await self._category(t.handover) for t in tries}
        looks = await self._look(tries, categories)
        for t in tries:
            if t.handover.delivery in looks:
                self._drop(t, looks[t.handover.delivery])
        clear = {t.handover.delivery: t for t in tries if t.handover.delivery not in looks}
        claimed_at = self.around.stores.clock.elapsed()
        for delivery, verdict in (await self._claim(list(clear.values()))).items():
            self._obey(clear[delivery], verdict, claimed_at, calls)

    async def _decode(self, record: Record) -> Try | None:
        stores = self.around.stores
        try:
            handover = records.handover(record.value)
        except Undecodable as error:
            found = letter(record, Reason.undecodable, str(error), stores.clock.now())
            await self.insist(stores.database.write, dead.save, [found])
            await self.insist(stores.broker.publish, [Record(stores.dead_topic, record.key, record.value)])
            stores.metrics.dead(Reason.undecodable)
            self._answers.add(Told(record, "", None))
            return None
        return Try(record, handover, self._account(handover))

    def _account(self, handover: Handover) -> LiveAccount:
        """The first that can be called now, in the order of the hand-over; else the first: it will be waited for."""
        known = [self.around.accounts[name] for name in handover.accounts if name in self.around.accounts]
        order = known or self._order
        return next((account for account in order if account.free), order[0])

    async def _rated(self, tries: list[Try]) -> list[Try]:
        """Those that have a rate token; the others are held, and nothing is polled meanwhile."""
        limited: dict[str, list[Try]] = {}
        for t in tries:
            if t.account.rate is not None:
                limited.setdefault(t.account.name, []).append(t)
        self._held = []
        if not limited:
            return tries
        asks = [Ask(name, len(some), self.around.accounts[name].rate or 1.0) for name, some in limited.items()]
        grants = await self.insist(self.around.state.take, asks)
        self._held = [t for name, some in limited.items() for t in some[grants[name].count :]]
        held = {id(t) for t in self._held}
        return [t for t in tries if id(t) not in held]

    async def _category(self, handover: Handover) -> Category:
        release = await self.around.releases.fetch(self.around.stores.database, handover.release)
        return release.categories.get(handover.category, Category(name=handover.category))

    async def _look(self, tries: list[Try], categories: Mapping[str, Category]) -> Mapping[str, Look]:
        stores = self.around.stores
        handovers = [t.handover for t in tries]
        return await self.insist(stores.database.read, gate.last_look, handovers, categories, stores.clock.now())

    def _drop(self, t: Try, look: Look) -> None:
        if look.status is None:
            self._tell(t, None)
        else:
            self._tell(t, Dropped(**self._about(t), status=look.status, reason=look.reason))

    async def _claim(self, tries: list[Try]) -> Mapping[str, Verdict]:
        """By the state; what must not be called twice by itself is claimed by the database."""
        parked = [t for t in tries if t.handover.on_unknown == "park"]
        claims = [
            Claim(t.handover.delivery, t.handover.try_, t.account.lease)
            for t in tries
            if t.handover.on_unknown != "park"
        ]
        verdicts = dict(await self.insist(self.around.state.claim, claims)) if claims else {}
        if parked:
            verdicts |= await self._claim_parked(parked)
        return verdicts

    async def _claim_parked(self, tries: list[Try]) -> Mapping[str, Verdict]:
        now = self.around.stores.clock.now()
        token = int(now * 1_000_000)
        wanted = [(t.handover.delivery, t.handover.try_, now + t.account.lease) for t in tries]
        ours = await self.insist(self.around.stores.database.write, parks.claim, wanted, token)
        return {name: Go(token) if name in ours else Lapsed(token) for name, _, _ in wanted}

    def _obey(self, t: Try, verdict: Verdict, claimed_at: float, calls: asyncio.TaskGroup) -> None:
        match verdict:
            case Go(token):
                self._calling += 1
                t.account.in_flight += 1
                calls.create_task(self._call(t, token, claimed_at))
            case Done(answer, token):
                self._tell(t, self._fact(t, token, answer, 0.0))
            case Busy(ms):
                self._tell(t, self._busy(t, 0, ms / 1000))
            case Lapsed(token):
                self._tell(t, self._fact(t, token, Unknown(Reason.lease_lapsed), 0.0))
            case Behind(try_, answer):
                self._tell(t, BehindFact(**{**self._about(t), "try_": try_}, answer=answer))

    async def _call(self, t: Try, token: int, claimed_at: float) -> None:
        """One call with a fresh claim; every way it can end is an answer."""
        clock = self.around.stores.clock
        started = clock.elapsed()
        delivery = t.handover.delivery
        try:
            if started - claimed_at > t.account.lease / 2:
                self._tell(t, self._busy(t, token, 0.0), Release(delivery, token))
                return
            result = await self._result(t)
            fact = self._fact(t, token, result, 1000 * (clock.elapsed() - started))
            self._tell(t, fact, Answer(delivery, t.handover.try_, token, result))
        finally:
            self._calling -= 1
            t.account.in_flight -= 1

    async def _result(self, t: Try) -> Result:
        """Render and call. The one broad `except` of the pipeline: a provider's defect is this delivery's alone."""
        h = t.handover
        if wait := t.account.wait(h.to.value):
            return Retry(Reason.unavailable, wait)
        ref = reference(self.around.secret, h.delivery, h.notification, h.priority, t.account.name)
        callback = f"{self.around.public_url}/v1/callbacks/{t.account.name}?delivery_id={h.delivery}&ref={ref}"
        clock, metrics = self.around.stores.clock, self.around.stores.metrics
        try:
            release = await self.around.releases.fetch(self.around.stores.database, h.release)
            deadline = clock.now() + t.account.timeout
            message = release.content.message(h, tag=ref, callback_url=callback, deadline=deadline)
            if h.try_ == 1:
                metrics.called_after(h.channel, h.priority, max(0.0, clock.now() - h.accepted))
            return await t.account.call(message)
        except Unrenderable as error:
            log.warning("a message cannot be rendered: %s", error, extra={"delivery": h.delivery})
            return Rejected(error.reason)
        except Exception:
            log.exception("an account's provider failed", extra={"account": t.account.name, "delivery": h.delivery})
            return unreadable()

    def _tell(self, t: Try, fact: Fact | None, settle: Answer | Release | None = None) -> None:
        self._answers.add(Told(t.record, self.around.topics.journal(t.handover.priority), fact, settle))

    def _about(self, t: Try) -> dict[str, Any]:
        """What every fact of a try says."""
        h, at = t.handover, self.around.stores.clock.now()
        return {"notification": h.notification, "at": at, "delivery": h.delivery, "try_": h.try_}

    def _busy(self, t: Try, token: int, after: float) -> Fact:
        return Deferred(**self._about(t), token=token, reason=Reason.busy, after=after)

    def _fact(self, t: Try, token: int, result: Result, ms: float) -> Fact:
        about = {**self._about(t), "token": token, "account": t.account.name}
        match result:
            case Sent(ref):
                return SentFact(**about, reference=ref, ms=ms)
            case Retry(reason, after):
                return Deferred(**about, reason=reason, after=after)
            case Rejected(reason):
                return RejectedFact(**about, reason=reason)
            case Unknown(reason):
                return UnknownFact(**about, reason=reason)
