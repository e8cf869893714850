"""The Sender only does and reports: it claims, renders, calls, and writes the answer into the journal.

Order inside a try: rate token, last look, claim, call, publish the fact and settle the claim, commit.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from angarium.database import dead, gate, parks
from angarium.database.gate import Look
from angarium.errors import Invalid
from angarium.model.category import Category
from angarium.model.delivery import Handover
from angarium.model.fact import Fact
from angarium.model.reasons import Priority, Reason, Status
from angarium.model.result import Result, Unknown
from angarium.pipeline import calls, records
from angarium.pipeline.accounts import LiveAccount
from angarium.pipeline.answers import Answers, Told
from angarium.pipeline.calls import Reporter, Try
from angarium.pipeline.handler import letter
from angarium.pipeline.insist import Insistence
from angarium.pipeline.publishing import Stores
from angarium.pipeline.records import Undecodable
from angarium.pipeline.releases import Releases
from angarium.ports.broker import Batch, Consumer, Record
from angarium.ports.state import Answer, Ask, Behind, Busy, Claim, Done, Go, Lapsed, Release, State, Verdict

#: Records of one poll, seconds to wait for the first, and between looks when there is no room.
LIMIT, WAIT, PAUSE = 500, 0.5, 0.05
#: Seconds that a last look holds.
FRESH = 1.0
#: Seconds until a try comes back whose account has no free call.
FULL = 1.0


class Surroundings(Struct, frozen=True):
    """What every Sender of a process is given. `secret` signs the references that come back in callbacks."""

    stores: Stores
    state: State
    releases: Releases
    accounts: Mapping[str, LiveAccount]
    secret: bytes
    public_url: str


class Sender:
    """One lane: a channel's hand-overs of one priority. `order` names the channel's accounts, best first."""

    def __init__(
        self, channel: str, priority: Priority, consumer: Consumer, order: Sequence[str], around: Surroundings
    ) -> None:
        self.name, self.priority = f"sender.{channel}.{priority}", priority
        self.consumer, self.around = consumer, around
        self.insist = Insistence(self.name)
        self._stores, self._reporter = around.stores, Reporter(around.stores.clock)
        self._order = [around.accounts[name] for name in order]
        self._held: list[tuple[Record, Handover]] = []
        self._calling = self._unfinished = 0
        self._stopping, self._freed = asyncio.Event(), asyncio.Event()
        self._answers = Answers(self.name, self._stores, around.state, consumer, lambda: self._calling, self._finished)

    def stop(self) -> None:
        """Poll no more; `run` returns when every call is answered and every answer is published."""
        self._stopping.set()
        self._freed.set()

    async def run(self) -> None:
        """Raises `Incompatible` for a record of a newer version, or what is a defect: after what was begun is done."""
        failure: Exception | None = None
        async with self.consumer, asyncio.TaskGroup() as group:
            group.create_task(self._answers.run())
            async with asyncio.TaskGroup() as under_way:
                try:
                    while not self._stopping.is_set():
                        await self._turn(under_way)
                except Exception as error:
                    failure = error
            self._answers.close()
        if failure is not None:
            raise failure

    async def step(self) -> int:
        """One batch from poll to commit, without waiting for one; how many records it held. For tests."""
        held = len(self._held)
        batch = await self.consumer.poll(max(0, min(self._room(), LIMIT)), 0)
        self._unfinished += len(batch)
        async with asyncio.TaskGroup() as under_way:
            await self._admit(batch, under_way)
        await self._answers.flush()
        return len(batch) + held - len(self._held)

    async def _turn(self, under_way: asyncio.TaskGroup) -> None:
        room = self._room()
        if room <= 0:
            await self._pause()
        batch = await self.insist(self.consumer.poll, max(0, min(room, LIMIT)), WAIT if room > 0 else 0.0)
        self._stores.metrics.polled(self.name, self._stores.clock.now())
        if batch or self._held:
            self._unfinished += len(batch)
            await self._admit(batch, under_way)
        self._stores.metrics.window(self.name, self._unfinished)

    def _room(self) -> int:
        """Free calls of the account that is to be used; an answer that is not in the journal keeps its place."""
        if self._answers.stale or self._held:
            return 0
        ready = next((account for account in self._order if account.ready), None)
        return 0 if ready is None else ready.free(self.priority) - (self._unfinished - self._calling)

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

    async def _admit(self, batch: Batch, under_way: asyncio.TaskGroup) -> None:
        """From records to calls, a trip a store. A delivery that comes twice in a batch waits for the next turn."""
        fresh = [found for record in batch if (found := await self._decode(record)) is not None]
        waiting, self._held = [*self._held, *fresh], []
        once = {handover.delivery: record for record, handover in reversed(waiting)}
        again = [pair for pair in waiting if once[pair[1].delivery] is not pair[0]]
        tries = await self._rated(await self._assign([pair for pair in waiting if once[pair[1].delivery] is pair[0]]))
        self._held.extend(again)
        looked_at = self._stores.clock.elapsed()
        clear = await self._look(tries)
        claimed_at = self._stores.clock.elapsed()
        verdicts = await self._claim(list(clear.values()))
        if self._stores.clock.elapsed() - looked_at > FRESH:
            verdicts = await self._look_again(clear, verdicts)
        for delivery, verdict in verdicts.items():
            self._obey(clear[delivery], verdict, claimed_at, under_way)

    async def _decode(self, record: Record) -> tuple[Record, Handover] | None:
        stores = self._stores
        try:
            return record, records.handover(record.value)
        except Undecodable as error:
            found = letter(record, Reason.undecodable, str(error), stores.clock.now())
        await self.insist(stores.database.write, dead.save, [found])
        await self.insist(stores.broker.publish, [Record(stores.topics.dead, record.key, record.value)])
        stores.metrics.dead(found.reason)
        self._answers.add(Told(record, "", None))
        return None

    async def _assign(self, waiting: Sequence[tuple[Record, Handover]]) -> list[Try]:
        """To each its account, if one can be called now; else it comes back as the same try."""
        tries, taken = list[Try](), Counter[str]()
        for record, handover in waiting:
            account = self._account(handover)
            if not account.ready or taken[account.name] >= account.free(self.priority):
                self._tell(record, handover, self._reporter.busy(handover, account.wait() or FULL))
            elif (wait := account.endpoint_wait(handover.to.value)) > 0:
                self._tell(record, handover, self._reporter.busy(handover, wait))
            else:
                try:
                    release = await self.insist(self.around.releases.fetch, self._stores.database, handover.release)
                except Invalid:
                    gone = self._reporter.dropped(handover, Status.failed, Reason.content_missing)
                    self._tell(record, handover, gone)
                else:
                    taken[account.name] += 1
                    tries.append(Try(record, handover, release, account))
        return tries

    def _account(self, handover: Handover) -> LiveAccount:
        """The first whose breaker lets calls through, in the order of the hand-over."""
        known = [self.around.accounts[name] for name in handover.accounts if name in self.around.accounts]
        order = known or self._order
        return next((account for account in order if account.ready), order[0])

    async def _rated(self, tries: list[Try]) -> list[Try]:
        """Those that have a rate token; the others are held, and nothing is polled meanwhile."""
        limited: dict[str, list[Try]] = {}
        for t in tries:
            if t.account.rate is not None:
                limited.setdefault(t.account.name, []).append(t)
        if not limited:
            return tries
        asks = [Ask(name, len(some), self.around.accounts[name].rate or 1.0) for name, some in limited.items()]
        grants = await self.insist(self.around.state.take, asks)
        late = {t.handover.delivery: t for name, some in limited.items() for t in some[grants[name].count :]}
        self._held = [(t.record, t.handover) for t in late.values()]
        return [t for t in tries if t.handover.delivery not in late]

    async def _look(self, tries: Sequence[Try]) -> dict[str, Try]:
        """Those that nothing speaks against, by delivery; the others are told."""
        looks = await self._looks(tries)
        for t in tries:
            if (look := looks.get(t.handover.delivery)) is not None:
                self._drop(t, look)
        return {t.handover.delivery: t for t in tries if t.handover.delivery not in looks}

    async def _looks(self, tries: Sequence[Try]) -> Mapping[str, Look]:
        if not tries:
            return {}
        handovers = [t.handover for t in tries]
        categories = {t.handover.delivery: _category(t) for t in tries}
        now = self._stores.clock.now()
        return await self.insist(self._stores.database.read, gate.last_look, handovers, categories, now)

    async def _look_again(self, clear: Mapping[str, Try], verdicts: Mapping[str, Verdict]) -> Mapping[str, Verdict]:
        """The claim took so long that somebody may have cancelled: what must not be called gives its claim back."""
        going = {delivery: verdict.token for delivery, verdict in verdicts.items() if isinstance(verdict, Go)}
        looks = await self._looks([clear[delivery] for delivery in going])
        for delivery, look in looks.items():
            await self._release(clear[delivery], going[delivery])
            self._drop(clear[delivery], look)
        return {delivery: verdict for delivery, verdict in verdicts.items() if delivery not in looks}

    def _drop(self, t: Try, look: Look) -> None:
        fact = None if look.status is None else self._reporter.dropped(t.handover, look.status, look.reason)
        self._tell(t.record, t.handover, fact)

    async def _claim(self, tries: Sequence[Try]) -> Mapping[str, Verdict]:
        """By the state; what must not be called twice by itself is claimed by the database."""
        ours, parked = list[Claim](), list[Claim]()
        for t in tries:
            claims = parked if t.handover.on_unknown == "park" else ours
            claims.append(Claim(t.handover.delivery, t.handover.try_, t.account.lease, t.account.name))
        verdicts = dict(await self.insist(self.around.state.claim, ours)) if ours else {}
        if parked:
            verdicts |= await self.insist(self._stores.database.write, parks.claim, parked, self._stores.clock.now())
        return verdicts

    async def _release(self, t: Try, token: int) -> None:
        if t.handover.on_unknown == "park":
            await self.insist(self._stores.database.write, parks.release, t.handover.delivery, token)
        else:
            await self.insist(self.around.state.settle, [Release(t.handover.delivery, token)])

    def _obey(self, t: Try, verdict: Verdict, claimed_at: float, under_way: asyncio.TaskGroup) -> None:
        h, told = t.handover, self._reporter
        match verdict:
            case Go(token):
                self._calling += 1
                t.account.in_flight += 1
                under_way.create_task(self._call(t, token, claimed_at))
            case Done(answer, token, account):
                self._tell(t.record, h, told.answered(h, account or t.account.name, token, answer))
            case Busy(ms):
                self._tell(t.record, h, told.busy(h, ms / 1000))
            case Lapsed(token, account):
                lapsed = Unknown(Reason.lease_lapsed)
                self._tell(t.record, h, told.answered(h, account or t.account.name, token, lapsed))
            case Behind(try_, answer):
                self._tell(t.record, h, told.behind(h, try_, answer))

    async def _call(self, t: Try, token: int, claimed_at: float) -> None:
        """One call with a fresh claim; every way it can end is told."""
        try:
            if self._stores.clock.elapsed() - claimed_at > t.account.lease / 2:
                await self._release(t, token)
                self._tell(t.record, t.handover, self._reporter.busy(t.handover, 0.0))
            else:
                await self._render_and_call(t, token)
        finally:
            self._calling -= 1
            t.account.in_flight -= 1

    async def _render_and_call(self, t: Try, token: int) -> None:
        h, clock = t.handover, self._stores.clock
        started = clock.elapsed()
        rendered = calls.message(t, self.around.secret, self.around.public_url, clock.now())
        if isinstance(rendered, calls.Unsendable):
            result: Result = rendered.result
            fact = self._reporter.unsendable(h, t.account.name, token, rendered)
        else:
            if h.try_ == 1:
                self._stores.metrics.called_after(h.channel, h.priority, max(0.0, clock.now() - h.accepted))
            result = await calls.call(t, rendered)
            fact = self._reporter.answered(h, t.account.name, token, result, 1000 * (clock.elapsed() - started))
        self._tell(t.record, h, fact, Answer(h.delivery, h.try_, token, result))

    def _tell(self, record: Record, handover: Handover, fact: Fact | None, settle: Answer | None = None) -> None:
        self._answers.add(Told(record, self._stores.topics.journal(handover.priority), fact, settle))


def _category(t: Try) -> Category:
    return t.release.categories.get(t.handover.category, Category(name=t.handover.category))
