"""E-mail: a subject, a text that is always there, and perhaps HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from angarium.content import html as markup
from angarium.content.scene import Desk, Render, Scene, known, line
from angarium.content.templates import Template, Unrenderable
from angarium.errors import Invalid
from angarium.model.message import Email
from angarium.model.reasons import Reason

KEYS = ("subject", "text", "html", "from", "reply_to", "headers")
LATER = ("markdown", "mjml")
#: Headers a workflow may set; those that route or frame a message are the provider's.
HEADERS = frozenset(
    ("Auto-Submitted", "Feedback-ID", "Importance", "Keywords", "List-Id", "Precedence", "Priority", "Thread-Topic")
)
#: Characters: RFC 5322 2.1.1 lets no line be longer, and nobody reads that far.
LONGEST_SUBJECT = 998
_OWN = re.compile(r"[Xx]-[A-Za-z0-9-]{1,70}")
_CANONICAL = {name.lower(): name for name in HEADERS}


def prepare(desk: Desk) -> Render:
    """What renders one `email` table. Raises `Invalid`."""
    known(desk, KEYS, LATER)
    subject, page = desk.required("subject"), desk.template("html", html=True)
    text = desk.template("text") or (page and _derived(desk, page))
    if text is None and page is None:
        raise Invalid(desk.where, "has neither text nor html", 'add text = "..." or html = "@welcome.html"')
    sender, reply_to, headers = desk.template("from"), desk.template("reply_to"), _headers(desk)

    def render(scene: Scene) -> Email:
        context, handover = scene.context, scene.handover
        rendered = page.render(context) if page else ""
        return Email(
            id=handover.delivery,
            to=handover.to.value,
            to_name=line(str(context["user"].get("name") or "")),
            sender=line(sender.render(context)) if sender else "",
            reply_to=line(reply_to.render(context)) if reply_to else "",
            subject=_subject(subject, context),
            text=text.render(context) if text else markup.plain(rendered),
            html=rendered,
            headers={name: line(value.render(context)) for name, value in headers.items()},
            tag=scene.tag,
            deadline=scene.deadline,
        )

    return render


def _subject(subject: Template, context: Mapping[str, Any]) -> str:
    found = line(subject.render(context))
    if len(found) > LONGEST_SUBJECT:
        raise Unrenderable(Reason.too_large, subject.where, f"is longer than {LONGEST_SUBJECT} characters")
    return found


def _derived(desk: Desk, page: Template) -> Template | None:
    """The text part of a page, worked out once; None when it has to be read off each rendered page."""
    source = markup.derived(page.source)
    return desk.templates.compile_source(source, page.where) if source else None


def _headers(desk: Desk) -> dict[str, Template]:
    table = desk.table.get("headers", {})
    if not isinstance(table, dict):
        raise Invalid(f"{desk.where}.headers", "is not a table", 'write it as headers = { X-Order = "..." }')
    for name in table:
        if name.lower() not in _CANONICAL and not _OWN.fullmatch(name):
            where, allowed = f"{desk.where}.headers", ", ".join(sorted(HEADERS))
            raise Invalid(where, "holds a header that a workflow may not set", f"use one of X-..., {allowed}")
    return {
        _CANONICAL.get(name.lower()) or name: desk.templates.compile(value, f"{desk.where}.headers.{name}")
        for name, value in table.items()
    }
