"""The in-app inbox: a title, and perhaps a body, a link and data for the app."""

from __future__ import annotations

from typing import Any

from angarium.content.scene import Desk, Render, Scene, known, line, lines
from angarium.content.templates import Template, Unrenderable, url
from angarium.errors import Invalid
from angarium.model.message import Item
from angarium.model.reasons import Reason

KEYS = ("title", "body", "url", "data")


def prepare(desk: Desk) -> Render:
    """What renders one `inbox` table. Raises `Invalid`."""
    known(desk, KEYS)
    title, body, link = desk.required("title"), desk.template("body"), desk.template("url")
    tree = desk.tree("data") if "data" in desk.table else {}
    if not isinstance(tree, dict):
        raise Invalid(f"{desk.where}.data", "is not a table", "write it as data = { order = ... }")

    def render(scene: Scene) -> Item:
        context = scene.context
        heading = line(title.render(context))
        if not heading:
            raise Unrenderable(Reason.invalid_content, title.where, "gives an empty title")
        return Item(
            id=scene.handover.delivery,
            tenant=scene.handover.tenant,
            user=scene.handover.user,
            title=heading,
            body=lines(body.render(context)) if body else "",
            url=_link(link, context) if link else "",
            data=desk.resolved(tree, "data", context),
            tag=scene.tag,
            deadline=scene.deadline,
        )

    return render


def _link(link: Template, context: Any) -> str:
    """Where a click leads: http, https, mailto, tel or a path within the app."""
    found = line(link.render(context))
    if url(found) != found:
        raise Unrenderable(Reason.invalid_content, link.where, "gives a link that is not http, https, mailto or tel")
    return found
