"""The accounts of a process while they run: who may be called now, and how many at once."""

from __future__ import annotations

from collections import OrderedDict

from angarium.decide import breaker
from angarium.decide.breaker import Breaker
from angarium.model.message import Hook, Message
from angarium.model.reasons import Priority, Reason
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
#: One in so many calls is kept for each better lane.
KEPT = 8
KEPT_FOR = {Priority.critical: 0, Priority.normal: 1, Priority.bulk: 2}


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
    def ready(self) -> bool:
        """Whether its breaker lets a call through now."""
        return breaker.allows(self._breaker, self._clock.now())

    @property
    def is_open(self) -> bool:
        """Whether its breaker is open."""
        return breaker.is_open(self._breaker)

    def free(self, priority: Priority) -> int:
        """Calls that a lane may start now. Some are kept for better lanes, so that a bulk send never holds them all."""
        if not self.ready:
            return 0
        if self.is_open:
            return 1
        limit = int(self._limit)
        free = max(0, limit - (limit // KEPT) * KEPT_FOR[priority] - self.in_flight)
        return free if self.rate is None else min(free, max(1, int(self.rate)))

    def wait(self) -> float:
        """Seconds until its breaker lets a call through: 0 for now or when a probe is under way."""
        return max(0.0, self._breaker.until - self._clock.now())

    def endpoint_wait(self, endpoint: str) -> float:
        """Seconds until one endpoint of a tenant may be called again: 0 for now."""
        found, now = self._endpoints.get(endpoint, Breaker()), self._clock.now()
        return 0.0 if breaker.allows(found, now) else max(found.until - now, 1.0)

    async def call(self, message: Message) -> Result:
        """One call, once more at once if nothing at all was written. Whatever goes wrong is an answer."""
        endpoint = message.url if isinstance(message, Hook) else None
        self._start(endpoint)
        started, began = self._clock.elapsed(), self._clock.now()
        try:
            result = await self._send(message)
        except BaseException:
            self._learn(unreadable(), endpoint, began)
            raise
        self._learn(result, endpoint, began)
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

    def _learn(self, result: Result, endpoint: str | None, began: float) -> None:
        now = self._clock.now()
        if endpoint is not None:
            self._endpoints[endpoint] = breaker.after(self._endpoints.pop(endpoint, Breaker()), result, began, now)
            if len(self._endpoints) > ENDPOINTS:
                self._endpoints.popitem(last=False)
            return
        self._breaker = breaker.after(self._breaker, result, began, now)
        self._limit = breaker.concurrency(self._limit, self._most, result)
        self._metrics.breaker(self.name, self.is_open)
        self._metrics.concurrency(self.name, int(self._limit))


def unreadable() -> Result:
    """The answer that no provider could read: it may have been sent."""
    return Unknown(Reason.garbage)
