"""What the end-to-end tests share: everything that a test starts is ended with it, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.projects import DEMO, copied
from tests.e2e.server import Server, embedded


@pytest.fixture
def children() -> Iterator[ExitStack]:
    """The processes of one test."""
    with ExitStack() as started:
        yield started


@pytest.fixture
def demo(children: ExitStack, tmp_path: Path) -> Server:
    """The packaged project with the stand-ins inside, running."""
    server = embedded(children, tmp_path, copied(DEMO, tmp_path / "project"))
    server.start()
    return server
