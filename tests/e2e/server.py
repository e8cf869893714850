"""A server under test: `angarium run` as a child process, started again and again over the same data and ports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from msgspec import Struct

from angarium.config import local
from tests.e2e.plain_http import Answer, Unanswered, call
from tests.e2e.processes import Child, free_ports, surroundings, until

JSON, NDJSON = "application/json", "application/x-ndjson"


class Told(Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Its documents, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Server:
    """`settings` are variables without their prefix; the ports stay the same over all restarts."""

    def __init__(self, stack: ExitStack, home: Path, project: Path, **settings: str) -> None:
        api, admin = free_ports(2)
        self.home, self.project, self.data = home, project, home / "data"
        self.url, self.admin = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{admin}"
        self.environ = {
            **surroundings(home),
            "ANGARIUM_DATA": str(self.data),
            "ANGARIUM_LISTEN": f"127.0.0.1:{api}",
            "ANGARIUM_ADMIN": f"127.0.0.1:{admin}",
            **{f"ANGARIUM_{name}": value for name, value in settings.items()},
        }
        self._stack = stack
        self._child: Child | None = None
        self.key = ""

    @property
    def child(self) -> Child:
        """The process of the moment, or the last one."""
        assert self._child is not None, "the server was never started"
        return self._child

    def launch(self) -> Child:
        """Start it without waiting."""
        log = self.home / f"server-{len(list(self.home.glob('server-*')))}.log"
        self._child = Child(self._stack, log, ["angarium", "run"], self.project, self.environ)
        return self._child

    def start(self) -> Child:
        """Start it, and wait until it is ready and has left word of its key."""
        child = self.launch()
        self.wait()
        return child

    def wait(self) -> None:
        """Until it is ready, and has left word of its key."""
        self.key = until(self._word, 20, "the server is ready")

    def _word(self) -> str | None:
        assert self.child.running, self.child.said()
        word = local.read(self.environ)
        return word.key if word and word.pid == self.child.pid and not self.ailing() else None

    def ailing(self) -> str:
        """Why it is not ready, "" when it is."""
        try:
            answer = call(self.admin, "GET", "/readyz")
        except Unanswered as error:
            return type(error).__name__
        return "" if answer.status == 200 else answer.body.decode() or str(answer.status)

    def headers(self, kind: str = JSON, **more: str) -> dict[str, str]:
        """Those of a request with our key; `more` by name, underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"authorization": f"Bearer {self.key}", "content-type": kind, **named}

    def get(self, path: str, **query: Any) -> Answer:
        """Read something of `/v1`."""
        return call(self.url, "GET", f"/v1/{path}?{urlencode(query)}", headers=self.headers(), timeout=30)

    def post(self, body: bytes, kind: str = JSON, **more: str) -> Answer:
        """Hand in events."""
        return call(self.url, "POST", "/v1/events", body, self.headers(kind, **more))

    def publish(self, *events: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Hand in events that are all right, plain ones or CloudEvents, in one request; what was told of each."""
        answer = self.post("\n".join(map(json.dumps, events)).encode(), NDJSON)
        assert answer.status == 202, answer.body
        told: list[dict[str, Any]] = answer.json["events"]
        return told

    def pages(self, resource: str) -> Iterator[dict[str, Any]]:
        """Every row of a list."""
        after: dict[str, str] = {}
        while True:
            page = self.get(resource, limit=200, **after)
            assert page.status == 200, page.body
            yield from page.json["items"]
            if not page.json.get("next"):
                return
            after = {"after": page.json["next"]}

    def event(self, name: tuple[str, str]) -> dict[str, Any]:
        """One event by source and id."""
        source, event = name
        answer = self.get(f"events/{quote(event, safe='')}", source=source)
        assert answer.status == 200, answer.body
        told: dict[str, Any] = answer.json
        return told

    def explain(self, **asked: str) -> dict[str, Any]:
        """What became of something, and why."""
        answer = self.get("explain", **asked)
        assert answer.status == 200, answer.body
        told: dict[str, Any] = answer.json
        return told

    def audit(self) -> dict[str, Any]:
        """The count of everything."""
        answer = self.get("audit")
        assert answer.status == 200, answer.body
        counted: dict[str, Any] = answer.json
        return counted

    def at_rest(self, within: float) -> dict[str, Any]:
        """The audit, once everything that was accepted has come to its end."""
        last: dict[str, Any] = {}

        def look() -> bool:
            last.update(self.audit())
            return bool(last["complete"])

        try:
            until(look, within, "everything is at rest", every=0.2)
        except pytest.fail.Exception as failure:
            pytest.fail(f"{failure}: {json.dumps(last)[:4000]}")
        return last

    def command(self, *arguments: str, within: float = 30, code: int = 0) -> Told:
        """Run `angarium ARGUMENTS` on this server; its exit code is to be `code`."""
        told = command(self.environ, self.project, *arguments, within=within)
        assert told.code == code, f"{told.code}: {told.err}{told.out}"
        return told


def embedded(children: ExitStack, home: Path, project: Path) -> Server:
    """A server, not started, with the stand-ins in its own process."""
    [port] = free_ports(1)
    return Server(children, home, project, SANDBOX__LISTEN=f"127.0.0.1:{port}")


def command(environ: Mapping[str, str], cwd: Path, *arguments: str, within: float = 30) -> Told:
    """Run `angarium ARGUMENTS` to its end."""
    argv = [sys.executable, "-m", "angarium", *arguments]
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, env=dict(environ), timeout=within)
    return Told(ended.returncode, ended.stdout, ended.stderr)
