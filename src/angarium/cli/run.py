"""`angarium run`: a project in one process, until a signal comes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from angarium.__about__ import __version__
from angarium.app.compose import Running
from angarium.app.run import run as serve
from angarium.cli.world import Surroundings, World


@Parameter(name="*")
@dataclass(frozen=True)
class Flags:
    """Settings that stand above the file and the variables."""

    listen: str | None = None
    """Where the HTTP interface is served, as host:port."""
    admin: str | None = None
    """Where health and metrics are served, as host:port."""
    data: str | None = None
    """The directory of the embedded stores."""
    sandbox: bool | None = None
    """Whether accounts without credentials are served by stand-ins."""
    sandbox_listen: str | None = None
    """Where the stand-ins and the catcher page are served, as host:port."""
    public_url: str | None = None
    """How delivery services and people reach this server."""
    env: str | None = None
    """The name of this installation."""
    log_level: str | None = None
    """The least severe records that are written."""
    log_format: str | None = None
    """json or text."""

    def settings(self) -> dict[str, Any]:
        """By the names that the configuration has; None where nothing is said."""
        return {DOTTED.get(name, name): value for name, value in vars(self).items()}


#: Flags of settings that lie in a table.
DOTTED = {"sandbox_listen": "sandbox.listen", "log_level": "log.level", "log_format": "log.format"}
FLAGS = Flags()


def run(
    project: Path | None = None,
    *,
    flags: Flags = FLAGS,
    json: Annotated[bool, Parameter(negative="")] = False,
    world: Surroundings,
) -> int:
    """Serve a project: HTTP, workers and sandbox in one process.

    Parameters
    ----------
    project
        The project's directory; else ANGARIUM_PROJECT, else the one you are in.
    json
        Print where it listens as JSON.
    """
    return serve(place(project, world), flags.settings(), lambda served: told(served, world, as_json=json))


def place(project: Path | None, world: World) -> Path:
    """The project's directory: the named one, that of the environment, or this one."""
    return world.directory / (project or world.environ.get("ANGARIUM_PROJECT") or "")


def told(served: Running, world: World, *, as_json: bool) -> None:
    """Where it listens, where messages can be seen, and what to do first."""
    if as_json:
        world.document(places(served))
        return
    console = world.console()
    console.print(Text(f"Angarium {__version__}", "bold"), f"runs {len(served.release.workflows)} workflows")
    rows = [("events", f"{served.url}/v1/events"), ("health", f"{served.admin}/readyz")]
    rows += [("messages", served.sandbox)] if served.sandbox else []
    for name, where in rows:
        console.print(f"  {name:<9} {where}", soft_wrap=True)
    console.print(f"  {'first':<9} {hint(served)}", soft_wrap=True)
    console.print("  Ctrl-C stops it.")


def places(served: Running) -> dict[str, Any]:
    """The same for machines; the key is in the file of this machine's operator, never on the screen."""
    return {
        "url": served.url,
        "admin": served.admin,
        "sandbox": served.sandbox,
        "release": served.release.id,
        "workflows": sorted(served.release.workflows),
    }


def hint(served: Running) -> str:
    """A command that shows something of this very project, if it can: the workflow that asks least of its data."""
    workflows = sorted(served.release.workflows.values(), key=lambda one: str(one.content).count("data."))
    exact = [on for workflow in workflows for on in workflow.on if not set(on) & set("*?[")]
    person = '\'{"id": "anna", "email": "anna@example.com"}\''
    return f"angarium send {(exact or ['TYPE'])[0]} --to {person} --watch"
