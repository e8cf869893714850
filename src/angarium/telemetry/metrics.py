"""What Prometheus is told. One `Metrics` is made by the composition root and handed to whoever counts.

The methods take the closed vocabularies of `model.reasons`; what lies outside becomes `other` (see `series`).
"""

from __future__ import annotations

import asyncio
import math
import platform
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric

from angarium.errors import AngariumError
from angarium.model.channels import CHANNELS
from angarium.model.reasons import Outcome, Priority, Reason, Status
from angarium.telemetry import families, readings
from angarium.telemetry.families import Family
from angarium.telemetry.readings import Readings
from angarium.telemetry.series import OTHER, Series

#: Seconds that the stores have to answer a scrape; Prometheus itself gives up after ten.
PATIENCE = 4.0
#: Seconds for which a scrape is told again, so that a flood of them costs the workers next to nothing.
FRESH = 1.0

CallResult = Literal["sent", "retry", "rejected", "unknown"]
CallbackResult = Literal["accepted", "forged", "unknown_reference", "invalid"]
Read = Callable[[], Awaitable[Readings]]


class Metrics:
    """All metrics of one process, on a registry of their own.

    `now` is the clock (Unix seconds) of those who call `polled`; a scrape is told again for `fresh` seconds.
    `read` asks the stores at each scrape; it may be set later, because stores are opened after this is made.
    Only the first `families.MOST_ACCOUNTS` of `accounts` are named. Not for use by several threads at once.
    """

    def __init__(
        self,
        *,
        version: str,
        accounts: Sequence[str] = (),
        read: Read | None = None,
        now: Callable[[], float] = time.time,
        fresh: float = FRESH,
    ) -> None:
        self.version, self.read, self._now, self._fresh = version, read, now, fresh
        self._registry = CollectorRegistry()
        self._closed = _vocabularies(accounts)
        self._polls: dict[tuple[str, ...], float] = {}
        self._scrape, self._shown, self._shown_at = asyncio.Lock(), b"", -math.inf
        self._events()
        self._calls()
        self._workers()
        ProcessCollector(registry=self._registry)
        self._gauge(families.BUILD).of(version, platform.python_version()).set(1)
        self._release = self._gauge(families.RELEASE)

    def _events(self) -> None:
        self._accepted = self._counter(families.EVENTS_ACCEPTED)
        self._decided = self._counter(families.EVENTS_DECIDED)
        self._deliveries = self._counter(families.DELIVERIES)
        self._to_called = self._histogram(families.ACCEPTED_TO_CALLED)
        self._to_delivered = self._histogram(families.ACCEPTED_TO_DELIVERED)
        self._dead = self._counter(families.DEAD)

    def _calls(self) -> None:
        self._call_seconds = self._histogram(families.CALL)
        self._call_results = self._counter(families.CALLS)
        self._callbacks = self._counter(families.CALLBACKS)
        self._breaker = self._gauge(families.BREAKER_OPEN)
        self._concurrency = self._gauge(families.CONCURRENCY)

    def _workers(self) -> None:
        self._window = self._gauge(families.WINDOW)
        self._restarts = Counter(families.RESTARTS.name, families.RESTARTS.help, registry=self._registry)
        failures = families.SCRAPE_FAILURES
        self._scrape_failures = Counter(failures.name, failures.help, registry=self._registry)

    def _counter(self, family: Family) -> Series[Counter]:
        return Series(Counter(family.name, family.help, family.labels, registry=self._registry), family, self._closed)

    def _gauge(self, family: Family) -> Series[Gauge]:
        return Series(Gauge(family.name, family.help, family.labels, registry=self._registry), family, self._closed)

    def _histogram(self, family: Family) -> Series[Histogram]:
        metric = Histogram(family.name, family.help, family.labels, registry=self._registry, buckets=family.buckets)
        return Series(metric, family, self._closed)

    def accepted(self, priority: str, count: int = 1) -> None:
        """Events were stored and may be answered with 202."""
        self._accepted.of(priority).inc(count)

    def decided(self, outcome: str, count: int = 1) -> None:
        """The Router knows what becomes of events."""
        self._decided.of(outcome).inc(count)

    def delivery(self, channel: str, account: str | None, priority: str, status: str, reason: str | None) -> None:
        """A delivery changed its status. Without an account or a reason that label is empty."""
        self._deliveries.of(channel, account or "", priority, status, reason or "").inc()

    def called_after(self, channel: str, priority: str, seconds: float) -> None:
        """The first call for a delivery was made `seconds` after its event was accepted."""
        self._to_called.of(channel, priority).observe(seconds)

    def delivered_after(self, channel: str, priority: str, seconds: float) -> None:
        """A delivery was reported as arrived `seconds` after its event was accepted."""
        self._to_delivered.of(channel, priority).observe(seconds)

    def call(self, account: str, result: CallResult, seconds: float) -> None:
        """A delivery service was called, and how long that took."""
        self._call_results.of(account, result).inc()
        self._call_seconds.of(account).observe(seconds)

    def callback(self, account: str, result: CallbackResult, count: int = 1) -> None:
        """A delivery service called us."""
        self._callbacks.of(account, result).inc(count)

    def breaker(self, account: str, is_open: bool) -> None:
        """The breaker of an account opened or closed."""
        self._breaker.of(account).set(is_open)

    def concurrency(self, account: str, calls: int) -> None:
        """An account may now have this many calls open."""
        self._concurrency.of(account).set(calls)

    def dead(self, reason: str, count: int = 1) -> None:
        """Records were put into the dead letters."""
        self._dead.of(reason).inc(count)

    def window(self, worker: str, records: int) -> None:
        """A worker now holds this many records that it has polled and not finished."""
        self._window.of(worker).set(records)

    def polled(self, worker: str, at: float) -> None:
        """A worker polled at this time (Unix seconds); a scrape tells how long ago that was."""
        name = (worker,)
        if name not in self._polls and len(self._polls) >= families.MOST_WORKERS - 1:
            name = (OTHER,)
        self._polls[name] = at

    def restarted(self) -> None:
        """A worker ended unasked and was started again."""
        self._restarts.inc()

    def release(self, release: str) -> None:
        """The workers run this release from now on."""
        self._release.clear()
        self._release.of(release, self.version).set(1)

    async def render(self) -> bytes:
        """The text a scrape answers (format 0.0.4), at most `fresh` seconds old.

        Gauges of a store that does not answer are absent, never stale.
        """
        async with self._scrape:
            elapsed = asyncio.get_running_loop().time
            if elapsed() - self._shown_at >= self._fresh:
                self._shown = self._text(await self._readings())
                self._shown_at = elapsed()
            return self._shown

    def _text(self, found: Readings | None) -> bytes:
        now = self._now()
        ages = {worker: max(now - at, 0.0) for worker, at in self._polls.items()}
        live = [readings.gauge(families.POLL_AGE, ages), *(readings.metrics(found) if found else ())]
        return generate_latest(_Scrape(self._registry, live))

    async def _readings(self) -> Readings | None:
        if self.read is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.read()
        except (AngariumError, TimeoutError):
            self._scrape_failures.inc()
            return None


class _Scrape:
    """The registry and what was read for this scrape, without the `_created` series that would double the counters."""

    def __init__(self, registry: CollectorRegistry, live: Sequence[Metric]) -> None:
        self._registry, self._live = registry, live

    def collect(self) -> Iterator[Metric]:
        """Counted first, read last."""
        for metric in chain(self._registry.collect(), self._live):
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _vocabularies(accounts: Iterable[str]) -> dict[str, frozenset[str]]:
    named = tuple(dict.fromkeys(accounts))[: families.MOST_ACCOUNTS]
    return {
        "account": frozenset(("", *named)),
        "channel": frozenset(CHANNELS),
        "outcome": frozenset(Outcome),
        "priority": frozenset(Priority),
        "reason": frozenset(("", *Reason)),
        "status": frozenset(Status),
        "result": frozenset(get_args(CallResult) + get_args(CallbackResult)),
    }
