"""Ends a process whose loop has stopped turning, so that whoever started it can start it again.

Nothing is lost by it: a killed process is what every part is built to survive.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

#: Seconds without a turn after which the process ends, and between two looks.
LIMIT, LOOK = 60.0, 5.0
#: EX_SOFTWARE of sysexits.h.
EXIT_CODE = 70
log = logging.getLogger(__name__)


class Watchdog:
    """A thread that asks the loop for a sign of life; an async context manager. `end` is called in that thread.

    It counts its own looks instead of reading a clock: a process that was stopped and continued, with its machine or
    by a debugger, has missed one look and not a minute of them.
    """

    def __init__(self, limit: float = LIMIT, look: float = LOOK, end: Callable[[], None] | None = None) -> None:
        self._most, self._look, self._end = limit / look, look, end or _end
        self._turned, self._stopped = threading.Event(), threading.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._watch, args=(loop,), name="watchdog", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        await asyncio.to_thread(self._thread.join)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        missed = 0
        while not self._stopped.is_set():
            self._turned.clear()
            loop.call_soon_threadsafe(self._turned.set)
            if self._stopped.wait(self._look):
                return
            missed = 0 if self._turned.is_set() else missed + 1
            if missed >= self._most:
                self._end()
                return


def _end() -> None:
    """Say where every thread stands, and go: nothing can be awaited any more."""
    log.critical("the loop has not turned for a minute: this process ends, and what it held comes again")
    faulthandler.dump_traceback(file=sys.stderr)
    os._exit(EXIT_CODE)
