"""The table of commands, and what an error becomes: one line on stderr and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App, CycloptsError

from angarium.cli.world import World
from angarium.errors import AngariumError, Invalid, Misconfigured

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
#: name, where it is, what it does. Each file is imported when its command is named.
COMMANDS = (
    ("run", "run:run", "Serve a project: HTTP, workers and sandbox in one process."),
    ("demo", "demo:demo", "Watch it work: five people, one event a second, nothing leaves this machine."),
    ("send", "send:send", "Hand an event over, or a file of them, and watch what becomes of it."),
    ("explain", "explain:explain", "Why somebody got a message, or did not."),
    ("audit", "audit:audit", "Count every id, and name the ones that are missing."),
)
GROUPS = (
    (
        "dead",
        "Records that no worker could handle.",
        (
            ("list", "dead:listed", "List them, newest first."),
            ("show", "dead:letter", "Show one, with its bytes."),
            ("replay", "dead:replay", "Put them back where they came from, once the cause is mended."),
        ),
    ),
    (
        "keys",
        "API keys.",
        (
            ("create", "keys:create", "Make a key; its text is shown once."),
            ("list", "keys:listed", "List them, without their secrets."),
            ("revoke", "keys:revoke", "From now on a key opens nothing."),
        ),
    ),
)
#: Columns of a help page.
WIDEST = 100
HELP = "Events in, notifications on people's devices out, none lost. `angarium COMMAND --help` says more."


def here() -> World:
    """The process that we are."""
    return World(
        environ=os.environ,
        out=sys.stdout,
        err=sys.stderr,
        stdin=sys.stdin.buffer,
        directory=Path.cwd(),
        elapsed=time.monotonic,
        pause=lambda seconds: threading.Event().wait(seconds),
    )


def app() -> App:
    """Every command, none of them imported."""
    made = App(name="angarium", help=HELP, version_flags=(), result_action="return_value")
    for place, (name, path, said) in enumerate(COMMANDS):
        made.command(f"angarium.cli.{path}", name=name, help=said, sort_key=place)
    for place, (group, about, commands) in enumerate(GROUPS, len(COMMANDS)):
        inner = App(name=group, help=about, version_flags=(), sort_key=place)
        for name, path, said in commands:
            inner.command(f"angarium.cli.{path}", name=name, help=said)
        made.command(inner)
    return made


def run(tokens: Sequence[str], world: World) -> int:
    """Run the command that the words name; its exit code."""
    try:
        return _run(tokens, world)
    except CycloptsError as error:
        return _told(world, f"{error} See `angarium --help`.", USAGE)
    except (Invalid, Misconfigured) as error:
        return _told(world, str(error), USAGE)
    except AngariumError as error:
        return _told(world, str(error), FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is still buffered must not raise again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(tokens: Sequence[str], world: World) -> int:
    console = world.console()
    console.width = min(console.width, WIDEST)
    command, bound, ignored = app().parse_args(
        list(tokens),
        exit_on_error=False,
        print_error=False,
        help_on_error=False,
        verbose=False,
        console=console,
    )
    # What is not parsed is the world, handed to every command under whatever name it has there.
    code = command(*bound.args, **bound.kwargs, **dict.fromkeys(ignored, world))
    world.out.flush()
    return code if isinstance(code, int) else OK


def _told(world: World, message: str, code: int) -> int:
    world.err.write(f"angarium: {message}\n")
    return code
