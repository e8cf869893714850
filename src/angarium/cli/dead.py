"""`angarium dead`: records that no worker could handle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from angarium.cli import show
from angarium.cli.world import OPTIONS, Options, Surroundings, World, answer, client
from angarium.client.pages import every
from angarium.client.sync import Client
from angarium.errors import Invalid

COLUMNS = ("id", "at", "topic", "reason", "detail", "replayed")


def listed(*, limit: int = 50, options: Options = OPTIONS, world: Surroundings) -> int:
    """List them, newest first.

    Parameters
    ----------
    limit
        The most that are told.
    """
    with client(world, options) as server:
        found = list(every(server.dead, limit))
    return answer(world, options, found, show.table(found, COLUMNS) if found else "No dead letters.")


def letter(
    id: str,  # noqa: A002 (the word of the interface)
    *,
    options: Options = OPTIONS,
    world: Surroundings,
) -> int:
    """Show one, with its bytes; they may hold people's data.

    Parameters
    ----------
    id
        As it is listed: dead_...
    """
    with client(world, options) as server:
        found = server.dead_letter(id)
    return answer(world, options, found, show.fields(found))


def replay(
    *ids: Annotated[str, Parameter(name="id")],
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002
    again: Annotated[bool, Parameter(negative="")] = False,
    options: Options = OPTIONS,
    world: Surroundings,
) -> int:
    """Put them back where they came from, once the cause is mended.

    Parameters
    ----------
    ids
        As they are listed: dead_...
    all
        Every one that was not put back before.
    again
        Those, too, that were put back before.
    """
    if bool(ids) == all:
        raise Invalid("dead replay", "wants either ids or --all", "name some, or say --all")
    with client(world, options) as server:
        _replay(server, ids or _waiting(server, again=again), world, options, again=again)
    return 0


def _waiting(server: Client, *, again: bool) -> list[str]:
    return [item["id"] for item in every(server.dead) if again or not item.get("replayed")]


def _replay(server: Client, ids: Sequence[str], world: World, options: Options, *, again: bool) -> None:
    for id_ in ids:
        back = server.replay(id_, again)
        answer(world, options, back, f"{show.clean(id_)} is on {back.get('topic')} again")
    if not ids and not options.json:
        world.console().print("Nothing to put back.")
