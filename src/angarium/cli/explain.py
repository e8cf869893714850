"""`angarium explain`: what became of it, and why."""

from __future__ import annotations

from angarium.cli import show, stories
from angarium.cli.world import OPTIONS, Options, Surroundings, client

DEFAULT_LIMIT = 20


def explain(
    *,
    recipient: str | None = None,
    event: str | None = None,
    notification: str | None = None,
    source: str | None = None,
    limit: int = DEFAULT_LIMIT,
    timeline: bool = False,
    options: Options = OPTIONS,
    world: Surroundings,
) -> int:
    """Why somebody got a message, or did not. All that is given must fit; without anything the newest are told.

    Parameters
    ----------
    recipient
        A person's id: their newest notifications.
    event
        An event's id: what it started.
    notification
        A notification's id, as ntf_...: everything about it.
    source
        Where the event came from, when two have the same id.
    limit
        The most notifications that are told.
    timeline
        Show every fact, too; for one notification that is done anyway.
    """
    with client(world, options) as server:
        found = server.explain(recipient=recipient, event=event, source=source, notification=notification, limit=limit)
    if options.json:
        world.document(found)
    else:
        told = stories.explanation(found)
        world.console().print(show.explained(told, timeline=timeline or notification is not None), soft_wrap=True)
    return 0
