"""`categories.toml`: a table a category. `default` is always there, and may be changed like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from angarium.errors import Invalid, nearest
from angarium.model.category import Category, Unknowns
from angarium.model.channels import CHANNELS
from angarium.model.reasons import Priority
from angarium.project import fields, files
from angarium.project.durations import duration
from angarium.project.problems import Problems

PATH = "categories.toml"
#: Every channel there is a word for.
#: Those that messages can be made for now.
SUPPORTED = ("email", "sms", "webhook", "inbox")
NAME = r"[a-z][a-z0-9_-]{0,63}"


def categories(found: Mapping[str, bytes], problems: Problems) -> dict[str, Category]:
    """The categories by name. Mistakes go to `problems`."""
    known = {"default": Category()}
    if PATH in found:
        with problems.caught():
            for name, table in files.table(found, PATH).items():
                with problems.caught():
                    known[name] = _category(name, table, problems)
    return known


def channel(value: Any, where: str) -> str:
    """The name of a channel that messages can be made for."""
    name = fields.text(value, where)
    if name not in CHANNELS:
        raise Invalid(where, "names an unknown channel", nearest(name, CHANNELS))
    if name not in SUPPORTED:
        raise Invalid(where, f"names the channel {name}, which is not supported yet", f"use {', '.join(SUPPORTED)}")
    return name


def channels(value: Any, where: str) -> tuple[str, ...]:
    """One channel or a list of them."""
    found = fields.texts(value, where)
    if not isinstance(value, list):
        return (channel(value, where),)
    return tuple(channel(name, f"{where}[{index}]") for index, name in enumerate(found))


def _category(name: str, table: Any, problems: Problems) -> Category:
    fields.matching(NAME, "is no name for a category", "use lower-case letters, digits, - and _")(
        name, f"{PATH}: {name}"
    )
    read = fields.read(fields.mapping(table, f"{PATH}: {name}"), _READERS, f"{PATH}: {name}.", problems)
    return Category(**{**read, "name": name})


def _priority(value: Any, where: str) -> Priority:
    return Priority(fields.choice(tuple(Priority), "priority")(value, where))


_READERS: Mapping[str, fields.Reader] = {
    "priority": _priority,
    "expires": fields.period,
    "retries": fields.periods,
    "on_unknown": fields.choice(get_args(Unknowns), "policy"),
    "reconcile": duration,
    "required": fields.flag,
    "channels": channels,
}
