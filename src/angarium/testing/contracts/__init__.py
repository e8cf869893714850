"""What an adapter must do, as tests: subclass a suite in your own test file and give it the fixtures it names.

    class TestMyBroker(BrokerContract):
        @pytest.fixture
        async def broker(self) -> AsyncIterator[Broker]: ...

The suites need pytest and pytest-asyncio in auto mode. Each says which fixtures it wants. `pass_time` is one of them:
it makes the seconds pass that the store goes by. Over a fake clock that is `passing(clock)`, over a server's own clock
it is `asyncio.sleep`; the suites ask for fractions of a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from angarium.testing.clock import FakeClock

PassTime = Callable[[float], Awaitable[None]]


def passing(clock: FakeClock) -> PassTime:
    """Time passes by telling `clock`."""

    async def pass_time(seconds: float) -> None:
        clock.advance(seconds)

    return pass_time
