"""The accounts of a process while they run: who may be called now, and how many at once."""

from __future__ import annotations

from collections import OrderedDict

from angarium.decide import breaker
from angarium.decide.breaker import Breaker
from angarium.model.message import Hook, Message
from angarium.model.reasons import Reason
from angarium.model.result import Result, Unknown
from angarium.ports.clock import Clock
from angarium.ports.provider import Provider
from angarium.telemetry.metrics import Metrics
from angarium.transport.answers import failure
from angarium.transport.errors import CallFailed

#: Breakers of single endpoints kept at a time; the one unused for longest is forgotten.
ENDPOINTS = 10_000
#: A lease outlives the longest call by this factor, so that a slow answer is not taken for a dead caller.
LEASE = 3.0


class LiveAccount:
    """One configured account: its provider, its breaker (one an endpoint for webhooks), its adaptive concurrency."""

    def __init__(
        self,
        name: str,
        provider: Provider,
        clock: Clock,
        metrics: Metrics,
        *,
        timeout: float = 15.0,
        rate: float | None = None,
        concurrency: int = 64,
    ) -> None:
        self.name, self.provider, self.rate = name, provider, rate
        self.timeout, self.lease = timeout, LEASE * timeout
        self._clock, self._metrics = clock, metrics
        self._most, self._limit = concurrency, float(concurrency)
        self._breaker = Breaker()
        self._endpoints: OrderedDict[str, Breaker] = OrderedDict()
        self.in_flight = 0

    @property
    def free(self) -> int:
        """Calls that may start now."""
        if not breaker.allows(self._breaker, self._clock.now()):
            return 0
        if breaker.is_open(self._breaker):
            return 1
        free = max(0, int(self._limit) - self.in_flight)
        return free if self.rate is None else min(free, max(1, int(self.rate)))

    @property
    def is_open(self) -> bool:
        """Whether its breaker is open."""
        return breaker.is_open(self._breaker)

    def wait(self, endpoint: str) -> float:
        """Seconds until an endpoint may be called again: 0 for now."""
        found = self._endpoints.get(endpoint, Breaker())
        now = self._clock.now()
        return 0.0 if breaker.allows(found, now) else max(found.until - now, 1.0)

    async def call(self, message: Message) -> Result:
        """One call, once more at once if nothing at all was written. Whatever goes wrong is an answer."""
        endpoint = message.url if isinstance(message, Hook) else None
        self._start(endpoint)
        started = self._clock.elapsed()
        try:
            result = await self._send(message)
        except BaseException:
            self._learn(unreadable(), endpoint)
            raise
        self._learn(result, endpoint)
        self._metrics.call(self.name, type(result).__name__.lower(), self._clock.elapsed() - started)  # type: ignore[arg-type]
        return result

    def _start(self, endpoint: str | None) -> None:
        if endpoint is None:
            self._breaker = breaker.started(self._breaker)
        elif endpoint in self._endpoints:
            self._endpoints[endpoint] = breaker.started(self._endpoints[endpoint])

    async def _send(self, message: Message) -> Result:
        try:
            return await self.provider.send(message)
        except CallFailed as error:
            if error.written or error.reason is Reason.blocked_address:
                return failure(error)
        try:
            return await self.provider.send(message)
        except CallFailed as error:
            return failure(error)

    def _learn(self, result: Result, endpoint: str | None) -> None:
        now = self._clock.now()
        if endpoint is not None:
            self._endpoints[endpoint] = breaker.after(self._endpoints.pop(endpoint, Breaker()), result, now)
            if len(self._endpoints) > ENDPOINTS:
                self._endpoints.popitem(last=False)
            return
        self._breaker = breaker.after(self._breaker, result, now)
        self._limit = breaker.concurrency(self._limit, self._most, result)
        self._metrics.breaker(self.name, self.is_open)
        self._metrics.concurrency(self.name, int(self._limit))


def unreadable() -> Result:
    """The answer that no provider could read: it may have been sent."""
    return Unknown(Reason.garbage)
