"""What a channel's file is given: at load a desk to compile on, for each message a scene to render from."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from angarium.content.templates import ROOTS, Template, Templates, Unrenderable
from angarium.errors import Invalid, nearest
from angarium.expressions import Expressions
from angarium.model.delivery import Handover
from angarium.model.message import Message
from angarium.model.reasons import Reason

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Marks that turn the direction of writing or are not seen. The joiners U+200C and U+200D stay: words and emoji are
# spelt with them.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_SPACE = re.compile(r"[\s\x85\u2028\u2029]+")


class Scene(Struct, frozen=True, gc=False):
    """One delivery being rendered. `context` is what templates see; `deadline` is Unix seconds."""

    handover: Handover
    context: Mapping[str, Any]
    tag: str
    callback_url: str
    deadline: float


Render = Callable[[Scene], Message]


class Desk(Struct, frozen=True):
    """Compiles the values of one content table. `where` is the table's place: `workflows/x.toml: email`."""

    table: Mapping[str, Any]
    where: str
    templates: Templates
    expressions: Expressions

    def template(self, key: str, *, html: bool = False) -> Template | None:
        """The template under `key`, None when there is none. Raises `Invalid`."""
        if key not in self.table:
            return None
        return self.templates.compile(self.table[key], f"{self.where}.{key}", html=html)

    def required(self, key: str) -> Template:
        """The template under `key`. Raises `Invalid` when there is none."""
        found = self.template(key)
        if found is None:
            raise Invalid(f"{self.where}.{key}", "is missing", f'add {key} = "..."')
        return found

    def tree(self, key: str) -> Any:
        """A tree of literals and expressions, checked. Raises `Invalid`."""
        found = self.table[key]
        self.expressions.check_tree(found, f"{self.where}.{key}", ROOTS)
        return found

    def resolved(self, tree: Any, key: str, context: Mapping[str, Any]) -> Any:
        """The value of a tree for one message. Raises `Unrenderable`."""
        try:
            return self.expressions.resolve(tree, context)
        except Invalid as error:
            raise Unrenderable(Reason.template_error, f"{self.where}.{key}", error.problem) from None

    def encoded(self, value: Any, key: str) -> bytes:
        """JSON. Raises `Unrenderable` for what JSON has no word for."""
        try:
            return msgspec.json.encode(value)
        except (TypeError, ValueError):
            raise Unrenderable(Reason.invalid_content, f"{self.where}.{key}", "cannot be written as JSON") from None


def known(desk: Desk, keys: Collection[str], later: Collection[str] = ()) -> None:
    """Raise `Invalid` for the first key of a table that its channel does not know; those in `later` are refused."""
    for key in desk.table:
        if key in later:
            raise Invalid(f"{desk.where}.{key}", "is not supported yet", f"use {', '.join(keys)}")
        if key not in keys:
            raise Invalid(f"{desk.where}.{key}", "is an unknown key", nearest(key, keys))


def line(text: str) -> str:
    """One line that is safe in a header: whitespace and breaks become one space, unseen marks go."""
    return _UNSEEN.sub("", _CONTROL.sub("", _SPACE.sub(" ", text))).strip()


def lines(text: str) -> str:
    """Text of several lines without control characters."""
    return _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
