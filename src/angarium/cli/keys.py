"""`angarium keys`: who may call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cyclopts import Parameter

from angarium.cli import show
from angarium.cli.world import OPTIONS, Options, Surroundings, answer, client
from angarium.client.pages import every

COLUMNS = ("id", "name", "scopes", "created", "expires", "revoked", "used")
Scope = Literal["publish", "read", "operate"]


def create(
    name: str,
    *,
    scope: Annotated[tuple[Scope, ...], Parameter(negative="")] = ("publish",),
    expires: timedelta | None = None,
    options: Options = OPTIONS,
    world: Surroundings,
) -> int:
    """Make a key. Its text is shown now and never again.

    Parameters
    ----------
    name
        What it is for; people read it in the list.
    scope
        What it may: publish events, read what became of them, or operate, which is everything. May be given several
        times.
    expires
        After how long it ends, such as 30d. Without it, never.
    """
    end = datetime.now(UTC) + expires if expires is not None else None
    with client(world, options) as server:
        made = server.create_key(name, scope, end)
    if options.json:
        world.document(made)
        return 0
    # The text goes alone to stdout, so that it can be put into a file or a secret store.
    world.out.write(f"{made['key']}\n")
    world.err.write(f"{made['id']} may {', '.join(made['scopes'])}. Keep its text now: nobody can tell it again.\n")
    return 0


def listed(*, options: Options = OPTIONS, world: Surroundings) -> int:
    """List them, without their secrets."""
    with client(world, options) as server:
        found = list(every(server.keys))
    return answer(world, options, found, show.table(found, COLUMNS))


def revoke(
    id: str,  # noqa: A002 (the word of the interface)
    *,
    options: Options = OPTIONS,
    world: Surroundings,
) -> int:
    """From now on the key opens nothing.

    Parameters
    ----------
    id
        As it is listed: key_...
    """
    with client(world, options) as server:
        server.revoke_key(id)
    return answer(world, options, {"id": id, "revoked": True}, f"{show.clean(id)} is revoked.")
