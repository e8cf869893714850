"""The grammar of `workflows/NAME.toml`: the keys at the top, and the tables of content."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from angarium.errors import Invalid, nearest
from angarium.expressions import Expressions
from angarium.model.channels import CHANNELS
from angarium.model.workflow import FirstOf, Send, Step, Workflow
from angarium.project import fields, steps
from angarium.project.categories import SUPPORTED
from angarium.project.problems import Problems

FOLDER = "workflows/"
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
#: Keys the grammar knows and this version cannot do.
LATER = frozenset({"schedule", "timezone", "schema", "run_key", "if_running", "cancel_on"})
#: Channels whose message is made of the event alone when a workflow says nothing.
SELF_MADE = frozenset({"webhook"})
_TYPE = r"[^\s\x00-\x1f\x7f]{1,255}"


class Known(Struct, frozen=True):
    """What workflows may name."""

    categories: Collection[str]
    expressions: Expressions
    problems: Problems


def workflow(path: str, table: Mapping[str, Any], known: Known) -> Workflow | None:
    """The workflow of one file; None, and something in `known.problems`, when it cannot be one."""
    prefix, problems = f"{path}: ", known.problems
    name = path.removeprefix(FOLDER).removesuffix(".toml")
    if not re.fullmatch(NAME, name):
        problems.add(path, "has a name that is none for a workflow", "use letters, digits, - and _")
    read = fields.read(table, _readers(known, prefix), prefix, problems, LATER)
    for key, mend in (("on", 'add on = "order.shipped"'), ("steps", 'add steps = [{ send = "email" }]')):
        if key not in table:
            problems.add(f"{prefix}{key}", "is missing", mend)
    own = {channel: read.pop(channel) for channel in CHANNELS if channel in read}
    content = {"": own, **read.pop("content", {})}
    _check_content(read.get("steps", ()), table, prefix, problems)
    return Workflow(name=name, content=content, **read) if "on" in read and "steps" in read else None


def _readers(known: Known, prefix: str) -> Mapping[str, fields.Reader]:
    return {
        "on": _types,
        "to": lambda value, where: steps.tree(value, where, known.expressions, ("data", "event")),
        "category": fields.choice(known.categories, "category"),
        "expires": fields.period,
        "until": steps.status,
        "sensitive": _paths,
        "steps": lambda value, where: steps.steps(value, prefix, known.expressions, known.problems),
        "content": lambda value, where: _variants(value, where, known.problems),
        **dict.fromkeys(CHANNELS, _channel),
    }


def _types(value: Any, where: str) -> tuple[str, ...]:
    found = fields.texts(value, where)
    if not all(re.fullmatch(_TYPE, one) for one in found):
        raise Invalid(where, "is no type of an event", 'write it as "order.shipped" or "order.*", without spaces')
    return found


def _paths(value: Any, where: str) -> tuple[str, ...]:
    found = fields.texts(value, where)
    if not all(re.fullmatch(r"(data|user)(\.\w+)+", one) for one in found):
        raise Invalid(where, "is no path into the data", 'write it as ["data.code"]')
    return found


def _channel(value: Any, where: str) -> dict[str, Any]:
    name = where.rpartition(" ")[2].rpartition(".")[2]
    if name not in SUPPORTED:
        raise Invalid(where, f"is for the channel {name}, which is not supported yet", "take it out")
    return fields.mapping(value, where)


def _variants(value: Any, where: str, problems: Problems) -> dict[str, dict[str, Any]]:
    """`[content.NAME.CHANNEL]`."""
    readers: Mapping[str, fields.Reader] = dict.fromkeys(CHANNELS, _channel)
    return {
        name: fields.read(fields.mapping(table, f"{where}.{name}"), readers, f"{where}.{name}.", problems)
        for name, table in fields.mapping(value, where).items()
    }


def _check_content(plan: tuple[Step | None, ...], table: Mapping[str, Any], prefix: str, problems: Problems) -> None:
    """Every channel of every step has a table, be it a broken one: that is a mistake of its own."""
    variants = table.get("content")
    content = variants if isinstance(variants, dict) else {}
    for index, step in enumerate(plan):
        if not isinstance(step, Send | FirstOf):
            continue
        place = f"{prefix}steps[{index}]"
        if step.content is not None and step.content not in content:
            problems.add(f"{place}.content", "names content that is not there", nearest(step.content, content))
            continue
        for channel in step.channels:
            if channel not in {*table, *(content.get(step.content) or ()), *SELF_MADE}:
                mend = f"add a table {channel}" + (f", or content.{step.content}.{channel}" if step.content else "")
                problems.add(place, f"sends over {channel}, which has no content", mend)
