"""What the stand-ins accepted, on disk before the answer goes out: the far side of an audit.

One JSON line a call. Calls that arrive while a write is under way share the next one and its fsync.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from angarium.errors import Invalid

FILE = "sandbox.jsonl"
Then = Callable[[], None]


class Call(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One accepted call. `at` is Unix seconds, `reference` the stand-in's own id for the message.

    `delivery_id` is ours as it travelled ("" when the call carried none); `repeated` says that it had come before.
    `summary` is the subject or the start of the text.
    """

    at: float
    provider: str
    account: str = ""
    delivery_id: str
    to: str
    reference: str
    repeated: bool = False
    summary: str = ""


def calls(path: Path) -> Iterator[Call]:
    """The accepted calls of a journal in the order of arrival; a last line that a crash cut short is left out.

    A file that does not exist holds none. Raises `Invalid` for a line that is no call.
    """
    if not path.exists():
        return
    decode = msgspec.json.Decoder(Call).decode
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield decode(line)
            except msgspec.DecodeError as error:
                raise Invalid(f"{path.name}: line {number}", "this is no call", "move the file away") from error


class Journal:
    """Appends calls. A context manager; `append` is called from one running event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._encode = msgspec.json.Encoder().encode
        self._lines: list[bytes] = []
        self._then: list[tuple[Then, Then]] = []
        self._writing = False

    def __enter__(self) -> Self:
        self._end = mend(self.path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self._thread = ThreadPoolExecutor(1, "sandbox-journal")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.clear()  # nobody was promised these
        self._then.clear()
        self._thread.shutdown()
        os.close(self._file)

    def append(self, call: Call, stored: Then, lost: Then) -> None:
        """Call `stored` once the line is on the disk, or `lost` if it cannot be written."""
        self._lines.append(self._encode(call))
        self._then.append((stored, lost))
        if not self._writing:
            self._write()

    def _write(self) -> None:
        self._writing = True
        lines, self._lines = self._lines, []
        then, self._then = self._then, []
        data = b"\n".join(lines) + b"\n"
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._store, data)
        future.add_done_callback(partial(self._written, then))

    def _written(self, then: list[tuple[Then, Then]], future: asyncio.Future[None]) -> None:
        """The next batch starts before this one is answered: the disk is the slow part."""
        self._writing = False
        if self._lines:
            self._write()
        failed = future.exception()
        for stored, lost in then:
            (lost if failed else stored)()

    def _store(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(data)


def mend(path: Path) -> int:
    """Make the file if need be (0600: it holds addresses), cut off an unfinished last line, and tell the length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end != len(data):
        os.truncate(path, end)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)  # a new file is only there after a crash when its directory was written too
    os.close(folder)
    return end
