"""For the tests of those who build on Angarium: a harness with a fake clock, and suites that adapters must pass."""

from __future__ import annotations

from angarium.testing.clock import FakeClock
from angarium.testing.harness import Harness

__all__ = ["FakeClock", "Harness"]
