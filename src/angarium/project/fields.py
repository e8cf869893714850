"""Readers of single values: each takes the value and its place, and gives what the model wants or raises `Invalid`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from angarium.errors import Invalid, nearest
from angarium.project.durations import duration
from angarium.project.problems import Problems

Reader = Callable[[Any, str], Any]


def read(
    table: Mapping[str, Any],
    readers: Mapping[str, Reader],
    prefix: str,
    problems: Problems,
    later: Collection[str] = (),
) -> dict[str, Any]:
    """What could be read of a table; every mistake goes to `problems`. `prefix` stands before a key in its place.

    Keys in `later` are known and refused.
    """
    found: dict[str, Any] = {}
    for key, value in table.items():
        with problems.caught():
            if key in later:
                raise Invalid(f"{prefix}{key}", "is not supported yet", "take it out")
            if key not in readers:
                raise Invalid(f"{prefix}{key}", "is an unknown key", nearest(key, readers))
            found[key] = readers[key](value, f"{prefix}{key}")
    return found


def mapping(value: Any, where: str) -> dict[str, Any]:
    """A table."""
    if not isinstance(value, dict):
        raise Invalid(where, "is not a table", f'write it as {{ subject = "..." }} or as [{where.rpartition(" ")[2]}]')
    return value


def text(value: Any, where: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str):
        raise Invalid(where, "is not a text", "write it in quotes")
    if not value.strip():
        raise Invalid(where, "is empty", "write something, or leave it out")
    return value


def texts(value: Any, where: str) -> tuple[str, ...]:
    """One text or a list of different ones."""
    if not isinstance(value, list):
        return (text(value, where),)
    if not value:
        raise Invalid(where, "is an empty list", "name at least one, or leave it out")
    found = tuple(text(one, f"{where}[{index}]") for index, one in enumerate(value))
    for index, one in enumerate(found):
        if one in found[:index]:
            raise Invalid(f"{where}[{index}]", "stands there twice", "take one out")
    return found


def flag(value: Any, where: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise Invalid(where, "is neither true nor false", "write true or false, without quotes")
    return value


def period(value: Any, where: str) -> float:
    """A duration longer than nothing, in seconds."""
    seconds = duration(value, where)
    if not seconds:
        raise Invalid(where, "is no time at all", "write a duration above zero, or leave it out")
    return seconds


def periods(value: Any, where: str) -> tuple[float, ...]:
    """A list of durations in seconds; an empty one is allowed."""
    if not isinstance(value, list):
        raise Invalid(where, "is not a list", 'write it as ["2s", "30s", "2m"]')
    return tuple(duration(one, f"{where}[{index}]") for index, one in enumerate(value))


def choice(known: Collection[str], what: str) -> Reader:
    """One name out of a closed set; `what` says what it names."""

    def reader(value: Any, where: str) -> str:
        if text(value, where) not in known:
            raise Invalid(where, f"names an unknown {what}", nearest(value, known))
        return str(value)

    return reader


def matching(pattern: str, problem: str, mend: str) -> Reader:
    """A text of a certain form."""

    def reader(value: Any, where: str) -> str:
        if not re.fullmatch(pattern, text(value, where)):
            raise Invalid(where, problem, mend)
        return str(value)

    return reader
