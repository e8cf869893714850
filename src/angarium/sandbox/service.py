"""The sandbox: all stand-ins, their failure scripts and the catcher behind one port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

from angarium.errors import Invalid
from angarium.ports.transport import Response, Transport
from angarium.sandbox import catcher, journal, script
from angarium.sandbox.callbacks import Labels, Reporter, State
from angarium.sandbox.counts import Tally, recall
from angarium.sandbox.credentials import Credentials
from angarium.sandbox.hooks import Hooks
from angarium.sandbox.script import PROVIDERS, Callbacks, Script
from angarium.sandbox.sendgrid import SendGrid
from angarium.sandbox.server import Incoming, Reply, listening
from angarium.sandbox.stand_in import Accepted, Caller, StandIn
from angarium.sandbox.twilio import Twilio

#: Seconds from a call to its first callback, and before each further attempt at one that nobody took.
DELAY = 0.05
RETRIES = (0.2, 1.0, 5.0, 20.0)


class Sandbox:
    """An async context manager that holds the journal and the callbacks; `handle` is what a server calls.

    `data` is the directory of `sandbox.jsonl`; callbacks go below `public_url`; `secrets` are those of webhook
    receivers (`/hooks/{name}`) that have one of their own.
    """

    def __init__(
        self,
        data: Path,
        credentials: Credentials,
        *,
        public_url: str,
        transport: Transport,
        secrets: Mapping[str, str] = {},
        now: Callable[[], float] = time.time,
        delay: float = DELAY,
        retries: Sequence[float] = RETRIES,
    ) -> None:
        keys = credentials.keys
        sendgrid = SendGrid(keys.sendgrid_api_key, credentials.private_key, public_url.rstrip("/"))
        twilio = Twilio(keys.twilio_account_sid, keys.twilio_auth_token)
        self._mounts: dict[str, StandIn] = {
            "sendgrid": sendgrid,
            "twilio": twilio,
            "hooks": Hooks(keys.webhook_secret, secrets),
        }
        self._callers: dict[str, Caller] = {"sendgrid": sendgrid, "twilio": twilio}
        self._public_url, self._now = public_url, now
        self._journal = journal.Journal(data / journal.FILE)
        self._reporter = Reporter(transport, public_url, self._told, now=now, delay=delay, retries=retries)
        self._page = catcher.page()
        self.script = Script()
        self.catcher = catcher.Catcher()
        self.tallies: dict[str, Tally] = {provider: Tally() for provider in PROVIDERS}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(self._journal)
            recall(self.tallies, journal.calls(self._journal.path))
            await stack.enter_async_context(self._reporter)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def handle(self, incoming: Incoming, reply: Reply) -> None:
        """Answer one request, at once or later or never."""
        mount, _, path = incoming.path[1:].partition("/")
        if (stand_in := self._mounts.get(mount)) is None:
            reply.send(self._look(incoming))
        else:
            self._call(stand_in, path, incoming, reply)

    def _call(self, stand_in: StandIn, path: str, incoming: Incoming, reply: Reply) -> None:
        tally = self.tallies[stand_in.provider]
        tally.calls += 1
        rule = self.script.rules[stand_in.provider]
        match self.script.turn(stand_in.provider):
            case "hang":
                tally.scripted += 1
            case "reset":
                tally.scripted += 1
                reply.reset()
            case "429" | "500" as status:
                tally.scripted += 1
                later(reply, stand_in.failure(int(status), rule.retry_after), rule.latency)
            case mode:
                self._judge(stand_in, path, incoming, reply, mode)

    def _judge(self, stand_in: StandIn, path: str, incoming: Incoming, reply: Reply, mode: script.Mode) -> None:
        tally, rule = self.tallies[stand_in.provider], self.script.rules[stand_in.provider]
        at = self._now()
        taken = stand_in.take(path, incoming, at)
        if isinstance(taken, Response):
            tally.refused += 1
            later(reply, taken, rule.latency)
            return
        call = taken.call(stand_in.provider, at, repeated=tally.knows(taken.delivery_id))
        tally.accept(call)

        def stored() -> None:
            self._publish(call, taken, rule.callbacks)
            answer = (call.repeated and taken.again) or taken.answer
            if mode != "accept_then_hang":
                later(reply, garbled(answer) if mode == "garbage" else answer, rule.latency)

        self._journal.append(call, stored, lambda: reply.send(stand_in.failure(500, None)))

    def _publish(self, call: journal.Call, accepted: Accepted, callbacks: Callbacks) -> None:
        self.catcher.show(call, accepted)
        if callbacks != "off" and accepted.reports:
            delay = None if isinstance(callbacks, str) else callbacks
            self._reporter.add(self._callers[call.provider], call.reference, accepted.reports, delay)

    def _told(self, provider: str, labels: Labels, outcome: str, state: State) -> None:
        self.catcher.told(labels, f"{outcome}, {state}")
        self.tallies[provider].tell(len(labels), state)

    def _look(self, incoming: Incoming) -> Response:
        """The page and its data, for people and test scripts on this machine."""
        if not catcher.is_near(incoming.headers.get("host", ""), self._public_url):
            return catcher.json({"problem": "this page is for the machine it runs on: use its address"}, 421)
        match incoming.method, incoming.path:
            case "GET", "/":
                return self._page
            case "GET", "/_messages":
                [after] = parse_qs(incoming.query).get("after", ["0"])[:1]
                return self.catcher.since(int(after) if after.isdecimal() and len(after) < 20 else 0)
            case "GET", "/_counts":
                return catcher.json({provider: tally.shown() for provider, tally in self.tallies.items()})
            case "GET", "/_script":
                return catcher.json(self.script.rules)
            case "POST", "/_script":
                return self._change(incoming)
            case _:
                return catcher.json({"problem": "there is nothing here"}, 404)

    def _change(self, incoming: Incoming) -> Response:
        """Only JSON is taken: a browser lets no stranger's page send that without asking us first."""
        if not incoming.headers.get("content-type", "").startswith("application/json"):
            return catcher.json({"problem": "the content type must be application/json"}, 415)
        try:
            return catcher.json(self.script.change(script.read(incoming.body)))
        except Invalid as error:
            return catcher.json({"problem": str(error)}, 400)


def later(reply: Reply, response: Response, latency: float) -> None:
    """Send an answer after `latency` seconds."""
    if latency:
        asyncio.get_running_loop().call_later(latency, reply.send, response)
    else:
        reply.send(response)


def garbled(answer: Response) -> Response:
    """A success whose every byte beyond the status is noise: what was accepted cannot be read from it."""
    return Response(
        status=200 if answer.status == 204 else answer.status,
        headers={"content-type": "application/json"},
        body=b'\x00\xff{"sid": [',
    )


@asynccontextmanager
async def serve(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Run a sandbox and its port until the context ends; gives its base URL. Takes no signals.

    Raises `Misconfigured` when the port cannot be had.
    """
    async with sandbox, listening(sandbox.handle, host, port) as url:
        yield url
