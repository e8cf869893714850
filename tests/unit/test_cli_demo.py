"""`run` and `demo`, without a server: where it listens, what to try, and what is shown of what happens."""

from __future__ import annotations

import asyncio
import io
import socket
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from angarium.app.compose import Running
from angarium.cli import demo, run, show
from angarium.cli.demo import Show
from angarium.cli.watch import Follower, News
from angarium.client import AsyncClient
from angarium.errors import Unavailable
from angarium.model.reasons import Reason
from angarium.ports.transport import Request, Response
from angarium.project import load, read
from angarium.sandbox import demo as story
from angarium.transport.errors import CallFailed
from tests.unit.shell import Shell

KEY = "ang_live_canary"


def running(files: dict[str, bytes]) -> Running:
    """A process as `run` is told of it; nothing of it runs."""
    return Running(
        url="http://127.0.0.1:8080",
        admin="http://127.0.0.1:8081",
        key=KEY,
        sandbox="http://127.0.0.1:8090",
        release=load(files),
        accept=None,  # type: ignore[arg-type]
    )


def test_a_server_says_where_it_is_and_what_to_try_and_keeps_its_key(tmp_path: Path) -> None:
    out = io.StringIO()
    run.told(running(read(story.project())), Shell(tmp_path).world(out, io.StringIO()), as_json=False)

    for word in ("8080/v1/events", "8081/readyz", "http://127.0.0.1:8090", "angarium send user.signed_up --to"):
        assert word in out.getvalue()
    assert KEY not in out.getvalue()


def test_the_same_for_machines(tmp_path: Path) -> None:
    out = io.StringIO()
    run.told(running(read(story.project())), Shell(tmp_path).world(out, io.StringIO()), as_json=True)
    told = msgspec.json.decode(out.getvalue())

    assert told["url"] == "http://127.0.0.1:8080"
    assert told["workflows"] == ["order_shipped", "payment_failed", "welcome"]
    assert KEY not in out.getvalue()


def test_a_project_of_globs_alone_still_gives_a_hint() -> None:
    files = {"workflows/any.toml": b'on = "*"\nsteps = [{ send = "inbox" }]\n[inbox]\ntitle = "x"\n'}

    assert run.hint(running(files)).startswith("angarium send TYPE ")


@pytest.mark.parametrize("words", [["gone"], [".", "--listen", "nowhere"], ["--log-level", "loud"]])
def test_what_cannot_be_served_is_a_wrong_word(words: list[str], tmp_path: Path) -> None:
    ran = Shell(tmp_path).run("run", *words)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_the_project_is_named_or_in_the_environment_or_here(tmp_path: Path) -> None:
    for environ, named, place in [
        ({}, None, tmp_path),
        ({"ANGARIUM_PROJECT": "there"}, None, tmp_path / "there"),
        ({"ANGARIUM_PROJECT": "there"}, Path("mine"), tmp_path / "mine"),
    ]:
        world = Shell(tmp_path, environ=environ).world(io.StringIO(), io.StringIO())
        assert run.place(named, world) == place


def test_a_port_that_is_taken_is_left_alone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert demo.free(port) == 0
    assert demo.free(port) == port


class Server:
    """Keeps what is published. Of each event it tells one e-mail: sent at the first look, delivered at the second."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.looks: dict[str, int] = {}

    async def call(self, request: Request) -> Response:
        if request.method == "POST":
            self.published.append(msgspec.json.decode(request.body))
            return Response(status=202, body=b'{"events":[]}')
        if request.url.endswith("/v1/audit"):
            return Response(status=200, body=msgspec.json.encode({"ok": True, "complete": True}))
        return Response(status=200, body=msgspec.json.encode(self.explained(request)))

    def explained(self, request: Request) -> dict[str, Any]:
        name = request.url.partition("event=")[2].partition("&")[0]
        looks = self.looks[name] = self.looks.get(name, 0) + 1
        status = "sent" if looks == 1 else "delivered"
        decision = {"step": "0", "channel": "email", "sentence": f"email: {status}", "status": status, "tries": 1}
        note = {"id": name, "user": "anna", "workflow": "welcome", "status": "done", "decisions": [decision]}
        return {"events": [{"id": name, "sentence": "", "outcome": "matched"}], "notifications": [note]}


def shown(shell: Shell, out: io.StringIO, rate: float, *, as_json: bool) -> tuple[Show, Server]:
    server = Server()
    world = shell.world(out, io.StringIO())
    client = AsyncClient(server, "http://127.0.0.1:8080", KEY)
    return Show(
        world, world.console(), client, rate, as_json, asyncio.Event(), asyncio.Event(), deque(maxlen=5), {}
    ), server


async def test_each_change_of_an_event_is_shown_once(tmp_path: Path) -> None:
    shell, out = Shell(tmp_path), io.StringIO()
    played, server = shown(shell, out, 1.0, as_json=True)
    follower = Follower()
    played.sent["demo-0"] = shell.now
    for _ in range(3):
        shell.now += 0.5
        await demo.look(played, follower, lines=True)

    told = [msgspec.json.decode(line) for line in out.getvalue().splitlines()]
    assert [(line["status"], line["ms"]) for line in told] == [("sent", 500), ("delivered", 1000)]
    assert (played.sent, server.looks) == ({}, {"demo-0": 3})


async def test_events_go_in_until_it_is_enough(tmp_path: Path) -> None:
    played, server = shown(Shell(tmp_path), io.StringIO(), 200.0, as_json=False)
    await demo.play(played, 0.1)

    assert len(server.published) > 2
    assert [event["id"] for event in server.published[:3]] == ["demo-0", "demo-1", "demo-2"]
    assert played.stop.is_set()


async def test_the_audit_comes_last_and_is_the_exit_code(tmp_path: Path) -> None:
    out = io.StringIO()
    played, _ = shown(Shell(tmp_path), out, 1.0, as_json=False)

    assert await demo.audited(played) == 0
    assert out.getvalue().splitlines()[-1].startswith("Nothing is missing: everything")


def test_the_newest_stand_in_a_table_with_a_row_each() -> None:
    out = io.StringIO()
    news = [News(ms=n, status="sent", sentence="email: [b]" + "x" * 200, user="anna", workflow="w") for n in (1, 2)]
    Console(file=out, width=60).print(show.happening(news))
    rows = [line.split() for line in out.getvalue().splitlines()]

    assert [row[:4] for row in rows] == [["ms", "status", "person", "workflow"]] + [
        [str(n), "sent", "anna", "w"] for n in (1, 2)
    ]
    assert rows[1][4:] == ["email:", rows[1][5]]
    assert rows[1][5].startswith("[b]x")
    assert rows[1][5].endswith("…")


@pytest.mark.parametrize("words", [["--rate", "0"], ["--seconds", "-1"]])
def test_no_demonstration_runs_backwards(words: list[str], tmp_path: Path) -> None:
    assert Shell(tmp_path).run("demo", *words).code == 2


async def test_a_server_that_falls_silent_ends_the_demonstration_with_one_error(tmp_path: Path) -> None:
    played, server = shown(Shell(tmp_path), io.StringIO(), 100.0, as_json=False)

    async def silent(request: Request) -> Response:
        raise CallFailed(Reason.connect_failed, written=False)

    server.call = silent  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await demo.play(played, 5)
