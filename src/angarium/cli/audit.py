"""`angarium audit`: the count of everything."""

from __future__ import annotations

from angarium.cli import account
from angarium.cli.world import OPTIONS, Options, Surroundings, client


def audit(*, options: Options = OPTIONS, world: Surroundings) -> int:
    """Count every id, and name the ones that are missing. The exit code is 1 when there is a hole."""
    with client(world, options) as server:
        found = server.audit()
    told = account.audit(found)
    if options.json:
        world.document(found)
    else:
        world.console().print(account.shown(told))
    return 0 if told.ok else 1
