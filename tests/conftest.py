"""What every test shares: how hypothesis searches, what a missing program means, the figures at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import NoReturn

import pytest
from hypothesis import settings

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("laptop", deadline=None, print_blob=True)
settings.load_profile("ci" if IN_CI else "laptop")


def missing(name: str) -> NoReturn:
    """A program or a server the test needs is not there: an error in CI, where it must be, and a skip on a laptop."""
    if IN_CI:
        pytest.fail(f"{name} is missing, and CI may not skip what needs it", pytrace=False)
    pytest.skip(f"{name} is missing")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """`program("promtool")` is its path, or the test ends as `missing` says."""
    return lambda name: shutil.which(name) or missing(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests gave to `record_property`: medians and other figures that are watched but not judged."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
