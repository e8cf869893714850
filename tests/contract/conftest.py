"""Time, as every suite's stores see it."""

from __future__ import annotations

import pytest

from angarium.testing.clock import FakeClock
from angarium.testing.contracts import PassTime, passing


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pass_time(clock: FakeClock) -> PassTime:
    return passing(clock)
