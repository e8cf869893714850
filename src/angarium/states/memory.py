"""The state in memory, for tests: no thread, no file. It survives being left and entered again, as a server would.

Claims are never forgotten, but by `wipe`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from angarium.ports.clock import Clock
from angarium.ports.state import Answer, Ask, Claim, Go, Grant, Release, Verdict, Window
from angarium.states._rules import FREE, Held, micros, take, verdict


class MemoryState:
    """Satisfies `ports.state.State`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._token = 0
        self.wipe()

    def wipe(self) -> None:
        """Lose everything, as a server without a disk does. Tokens go on: they come from the time."""
        self._claims: dict[str, Held] = {}
        self._tats: dict[str, int] = {}
        self._windows: dict[str, dict[str, int]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def claim(self, claims: Sequence[Claim]) -> Mapping[str, Verdict]:
        """As the port says."""
        now = micros(self._clock.now())
        self._token = token = max(self._token + 1, now)
        verdicts = {claim.delivery: verdict(claim, self._claims.get(claim.delivery), now, token) for claim in claims}
        for claim in claims:
            if isinstance(verdicts[claim.delivery], Go):
                self._claims[claim.delivery] = Held(claim.try_, token, now + micros(claim.lease), None, claim.account)
        return verdicts

    async def settle(self, answers: Sequence[Answer | Release]) -> None:
        """As the port says."""
        for answer in answers:
            held = self._claims.get(answer.delivery)
            if isinstance(answer, Answer):
                self._token = max(self._token, answer.token)
                if held is None or answer.token >= held.token:
                    account = held.account if held is not None and held.token == answer.token else ""
                    self._claims[answer.delivery] = Held(answer.try_, answer.token, 0, answer.result, account)
            elif held and held.token == answer.token and held.answer is None:
                self._claims[answer.delivery] = Held(held.try_, held.token, FREE, None, held.account)

    async def take(self, asks: Sequence[Ask]) -> Mapping[str, Grant]:
        """As the port says."""
        now = micros(self._clock.now())
        grants: dict[str, Grant] = {}
        for ask in asks:
            grants[ask.account], self._tats[ask.account] = take(ask, self._tats.get(ask.account, 0), now)
        return grants

    async def count(self, windows: Sequence[Window]) -> Mapping[str, int]:
        """As the port says."""
        now = micros(self._clock.now())
        for window in windows:
            events = self._windows.setdefault(window.key, {})
            if events.get(window.event, 0) <= now:
                events[window.event] = now + micros(window.seconds)
        counts: dict[str, int] = {}
        for key in {window.key: None for window in windows}:
            self._windows[key] = {event: until for event, until in self._windows[key].items() if until > now}
            counts[key] = len(self._windows[key])
        return counts


def connect(url: str, clock: Clock) -> MemoryState:
    """`memory://`: a new one each time."""
    return MemoryState(clock)
