"""The grammar of steps: a step has one step word, whose value is the first argument; other keys are fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from angarium.errors import Invalid, nearest
from angarium.expressions import Expressions, lone
from angarium.model.reasons import Status
from angarium.model.workflow import Delay, FirstOf, Send, Step, Stop
from angarium.project import fields
from angarium.project.categories import channels
from angarium.project.problems import Problems

#: Step words the grammar knows and this version cannot do.
LATER = ("delay_until", "digest", "wait_for", "throttle", "fetch")
#: What `until` may wait for: how far a message came.
REACHED = (Status.sent, Status.delivered, Status.seen, Status.read, Status.acknowledged)
NAME = r"[a-z_][a-z0-9_]{0,63}"


class Word(Struct, frozen=True):
    """A step word: the struct it makes, the field that its value fills, and the fields beside it."""

    makes: type[Any]
    first: str
    reader: fields.Reader
    fields: tuple[str, ...] = ()


WORDS: Mapping[str, Word] = {
    "send": Word(Send, "channels", channels, ("to", "content", "collapse_key")),
    "first_of": Word(FirstOf, "channels", channels, ("within", "until", "to", "content", "collapse_key")),
    "delay": Word(Delay, "seconds", fields.period),
    "stop": Word(Stop, "reason", fields.text),
}
#: Fields of every step.
ANY = ("name", "when")


def steps(value: Any, prefix: str, expressions: Expressions, problems: Problems) -> tuple[Step | None, ...]:
    """The steps in order, None where one could not be read. `prefix` stands before `steps[0]` in places."""
    if not isinstance(value, list) or not value:
        raise Invalid(f"{prefix}steps", "is no list of steps", 'write it as steps = [{ send = "email" }]')
    found: list[Step | None] = []
    for index, one in enumerate(value):
        read = None
        with problems.caught():
            read = _step(one, f"{prefix}steps[{index}]", expressions, problems)
        if read and read.name and read.name in {step.name for step in found if step}:
            problems.add(f"{prefix}steps[{index}].name", "is the name of an earlier step", "names are given once")
        found.append(read)
    return tuple(found)


def status(value: Any, where: str) -> Status:
    """How far a message must come."""
    return Status(fields.choice(REACHED, "status")(value, where))


def tree(value: Any, where: str, expressions: Expressions, roots: Collection[str]) -> Any:
    """`to`: ids, persons and expressions over `roots`. Raises `Invalid` when it can name nobody."""
    if not value or not isinstance(value, str | list | dict):
        raise Invalid(where, "names nobody", 'write an id, a list or a person, as in to = "{{ data.customer }}"')
    expressions.check_tree(value, where, roots)
    return value


def _step(value: Any, where: str, expressions: Expressions, problems: Problems) -> Step | None:
    table = fields.mapping(value, where)
    name = _word(table, where)
    word = WORDS[name]
    every = _readers(expressions)
    readers = {key: every[key] for key in (*word.fields, *ANY)} | {name: word.reader}
    read = fields.read(table, readers, f"{where}.", problems)
    if name not in read:
        return None
    step: Step = word.makes(**{word.first: read.pop(name)}, **read)
    return step


def _word(table: Mapping[str, Any], where: str) -> str:
    """The step word of a table: exactly one."""
    for key in table:
        if key in LATER:
            raise Invalid(f"{where}.{key}", "is a step that is not supported yet", f"use {', '.join(WORDS)}")
    found = [key for key in table if key in WORDS]
    if len(found) == 1:
        return found[0]
    if found:
        raise Invalid(where, f"has more than one step word: {', '.join(found)}", "make a step of each")
    unknown = next((key for key in table if key not in {*ANY, *WORDS["first_of"].fields}), "")
    raise Invalid(where, f"has no step word{f', {unknown} is none' if unknown else ''}", nearest(unknown, WORDS))


def _readers(expressions: Expressions) -> Mapping[str, fields.Reader]:
    """Every field there is; a word picks its own."""

    def key(value: Any, where: str) -> str:
        expressions.check_tree(fields.text(value, where), where)
        return str(value)

    def condition(value: Any, where: str) -> str:
        source = fields.text(value, where)
        source = lone(source) or source
        expressions.check(source, where)
        return source

    return {
        "to": lambda value, where: tree(value, where, expressions, ("data", "event", "user")),
        "content": fields.text,
        "collapse_key": key,
        "within": fields.period,
        "until": status,
        "name": fields.matching(NAME, "is no name for a step", "use lower-case letters, digits and _"),
        "when": condition,
    }
