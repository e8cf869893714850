"""Callbacks on their way: delayed, gathered, signed, sent, and sent again when nobody took them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Literal, Self

import msgspec
from msgspec import Struct

from angarium.ports.transport import Transport
from angarium.sandbox.script import Provider
from angarium.sandbox.stand_in import Caller, Report
from angarium.transport.errors import CallFailed

WORKERS = 8
MAX_TOGETHER = 500
Labels = Sequence[tuple[str, str]]
State = Literal["taken", "comes again", "given up"]
#: Told of every attempt: the service, the (message, label) pairs that travelled, what came of it, and how it goes on.
Told = Callable[[Provider, Labels, str, State], None]


class Post(Struct, frozen=True, kw_only=True):
    """One request to make. `reports` pairs each report with the reference of its message."""

    caller: Caller
    url: str
    reports: Sequence[tuple[str, Report]]
    tries: int = 0

    def labels(self) -> Labels:
        """What travels, as `Told` wants it."""
        return [(message, report.label) for message, report in self.reports]


class Reporter:
    """Sends callbacks below `public_url` and nowhere else: from a sandbox nothing leaves.

    `delay` is in seconds; `retries` are the waits before each further attempt. An async context manager: leaving it
    drops what has not been sent.
    """

    def __init__(
        self,
        transport: Transport,
        public_url: str,
        told: Told,
        *,
        now: Callable[[], float],
        delay: float,
        retries: Sequence[float],
    ) -> None:
        self._transport, self._below, self._told = transport, public_url.rstrip("/") + "/", told
        self._now, self._delay, self._retries = now, delay, retries
        self._queue: asyncio.Queue[Post] = asyncio.Queue()
        self._gathered: dict[str, list[tuple[str, Report]]] = {}

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._workers = [loop.create_task(self._work(), name="sandbox-callbacks") for _ in range(WORKERS)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.cancel()
        for ended in await asyncio.gather(*self._workers, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    def add(self, caller: Caller, message: str, reports: Sequence[Report], delay: float | None = None) -> None:
        """Report on a message, each step `delay` seconds after the one before."""
        loop = asyncio.get_running_loop()
        wait = self._delay if delay is None else delay
        for report in reports:
            if report.url.startswith(self._below):
                loop.call_later(wait * report.step, self._due, caller, message, report)
            else:
                self._told(
                    caller.provider, [(message, report.label)], "the URL is not below the public one", "given up"
                )

    def _due(self, caller: Caller, message: str, report: Report) -> None:
        if not caller.together:
            self._queue.put_nowait(Post(caller=caller, url=report.url, reports=[(message, report)]))
            return
        gathered = self._gathered.setdefault(report.url, [])
        gathered.append((message, report))
        if len(gathered) == 1:
            asyncio.get_running_loop().call_later(self._delay, self._flush, caller, report.url)

    def _flush(self, caller: Caller, url: str) -> None:
        reports = self._gathered.pop(url)
        for start in range(0, len(reports), MAX_TOGETHER):
            self._queue.put_nowait(Post(caller=caller, url=url, reports=reports[start : start + MAX_TOGETHER]))

    async def _work(self) -> None:
        while True:
            await self._send(await self._queue.get())

    async def _send(self, post: Post) -> None:
        request = post.caller.request(post.url, [report.fields for _, report in post.reports], self._now())
        try:
            status = (await self._transport.call(request)).status
        except CallFailed as failed:
            self._again(post, failed.reason.value)
        else:
            (self._taken if 200 <= status < 300 else self._again)(post, str(status))

    def _taken(self, post: Post, outcome: str) -> None:
        self._told(post.caller.provider, post.labels(), outcome, "taken")

    def _again(self, post: Post, outcome: str) -> None:
        if post.tries == len(self._retries):
            self._told(post.caller.provider, post.labels(), outcome, "given up")
            return
        again = msgspec.structs.replace(post, tries=post.tries + 1)
        asyncio.get_running_loop().call_later(self._retries[post.tries], self._queue.put_nowait, again)
        self._told(post.caller.provider, post.labels(), outcome, "comes again")
