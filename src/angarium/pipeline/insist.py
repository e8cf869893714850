"""An effect once decided is repeated until it is done: a store that does not answer delays it and loses nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from angarium.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds between repetitions: the first, and the most.
FIRST, LONGEST = 0.1, 2.0
log = logging.getLogger(__name__)


class Insistence:
    """Who is stuck, on what. `stuck` turns readiness red."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stuck: str | None = None

    async def __call__(self, effect: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Perform `effect`, again and again while it is `Unavailable`; other errors go to the caller."""
        pause = FIRST
        while True:
            try:
                result = await effect(*args, **kwargs)
            except Unavailable as error:
                if self.stuck is None:
                    log.warning("waiting for a store", extra={"worker": self.name, "store": error.store})
                self.stuck = str(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST)
            else:
                self.stuck = None
                return result
