"""The command line as a whole: names, exit codes, errors in one line, and what it costs to start."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.__about__ import __version__
from angarium.cli import main, program
from angarium.config import local
from angarium.config.local import Local
from tests.unit.answering import Answer, Answering, answering
from tests.unit.shell import KEY, Shell

AUDIT = {"ok": True, "complete": True, "events": {"records": 2, "matched": 2}, "runs": 2, "holes": [], "hole_count": 0}
COMMANDS = ["run", "demo", "send", "explain", "audit", "dead", "keys"]


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as script:
        yield script


def python(code: str) -> list[str]:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_told(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([flag]) == 0
    assert capsys.readouterr().out == f"angarium {__version__}\n"


def test_the_version_needs_no_import_but_its_own() -> None:
    code = "import sys; from angarium.cli import main; main(['--version']); print(*sys.modules, sep='\\n')"
    loaded = python(code)

    assert not {"cyclopts", "rich", "msgspec"} & {name.partition(".")[0] for name in loaded}
    assert [name for name in loaded if name.startswith("angarium")][1:] == [
        "angarium",
        "angarium.__about__",
        "angarium.cli",
    ]


def test_the_help_imports_no_command() -> None:
    code = "import sys; from angarium.cli import main; main(['--help']); print(*sys.modules, sep='\\n')"
    loaded = python(code)

    assert "angarium.cli.program" in loaded
    assert not {"angarium.app", "angarium.cli.send", "angarium.cli.demo", "litestar", "sqlalchemy"} & set(loaded)


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "angarium", "sned"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_the_help_names_every_command(tmp_path: Path) -> None:
    ran = Shell(tmp_path).run("--help")

    assert ran.code == 0
    words = [line.split()[1] for line in ran.out.splitlines() if line.startswith("│ ")]
    assert words[:-1] == COMMANDS


@pytest.mark.parametrize("command", [[name] for name in COMMANDS] + [["dead", "replay"], ["keys", "create"]])
def test_every_command_explains_its_options(command: list[str], tmp_path: Path) -> None:
    ran = Shell(tmp_path).run(*command, "--help")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: angarium {' '.join(command)}")
    assert "world" not in ran.out.lower()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sned"], 'Did you mean "send"?'),
        (["keys", "creat"], 'Did you mean "create"?'),
        (["send", "a", "--fiel", "x"], "Did you mean --file?"),
        (["send", "a", "--repeat", "two"], "--repeat"),
        (["keys", "create"], "name"),
        (["keys", "create", "ci", "--scope", "read", "--scope", "raed"], "raed"),
        (["audit", "now"], "now"),
    ],
)
def test_a_wrong_word_is_told_in_one_line_with_the_nearest(words: list[str], told: str, tmp_path: Path) -> None:
    ran = Shell(tmp_path).run(*words)

    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err


def test_without_a_server_the_way_to_one_is_told(tmp_path: Path) -> None:
    ran = Shell(tmp_path).run("audit")

    assert ran.code == 2
    assert "start `angarium run`, or set ANGARIUM_URL and ANGARIUM_KEY" in ran.err


def test_a_url_that_is_none_is_a_wrong_word(tmp_path: Path) -> None:
    assert Shell(tmp_path).run("audit", "--url", "localhost:8080").code == 2


def test_a_server_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    ran = Shell(tmp_path, "http://127.0.0.1:1").run("audit", "--json")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "angarium: the server is unavailable: nobody answers there: is it running, and is the URL right?\n"
    )


def test_the_key_is_never_shown(tmp_path: Path, server: Answering) -> None:
    server.on("GET /v1/audit", Answer(401, {"title": "Unauthorized", "detail": "the key was revoked"}))
    ran = Shell(tmp_path, server.url).run("audit")

    assert ran.code == 1
    assert "401 Unauthorized: the key was revoked" in ran.err
    assert KEY not in ran.out + ran.err


def test_the_flag_goes_before_the_variable(tmp_path: Path, server: Answering) -> None:
    server.on("GET /v1/audit", Answer(200, AUDIT))

    assert Shell(tmp_path, "http://127.0.0.1:1").run("audit", "--url", server.url).code == 0


def test_the_server_on_this_machine_is_found(tmp_path: Path, server: Answering) -> None:
    server.on("GET /v1/audit", Answer(200, AUDIT))
    shell = Shell(tmp_path)
    local.write(Local(url=server.url, key="ang_live_local", pid=os.getpid()), shell.environ)

    assert shell.run("audit").code == 0
    assert server.asked[0].headers["authorization"] == "Bearer ang_live_local"


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("environ", "coloured"), [({"NO_COLOR": "1"}, False), ({}, True)])
def test_colours_are_for_those_who_want_them(
    environ: dict[str, str], coloured: bool, tmp_path: Path, server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("GET /v1/audit", Answer(200, AUDIT))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    program.run(["audit"], Shell(tmp_path, server.url, environ).world(out, io.StringIO()))

    assert "Nothing is missing" in out.getvalue()
    assert ("\x1b[32m" in out.getvalue()) == coloured


def test_an_interrupted_command_ends_quietly(tmp_path: Path, server: Answering) -> None:
    shell = Shell(tmp_path, server.url)

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    shell._pause = interrupted  # type: ignore[method-assign]
    server.on("POST /v1/events", Answer(202, {"events": [{"id": "1", "source": "/s"}]}))
    server.on("GET /v1/explain", Answer(200, {"events": [], "notifications": [], "more": False}))
    ran = shell.run("send", "a", "--watch")

    assert (ran.code, ran.err) == (130, "")


def test_whoever_stops_reading_gets_no_traceback(tmp_path: Path, server: Answering) -> None:
    server.on("GET /v1/audit", Answer(200, AUDIT))
    environ = {**os.environ, **Shell(tmp_path, server.url).environ}
    command = [sys.executable, "-m", "angarium", "audit", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()

    assert (process.wait(30), said) == (1, b"")
