"""Workflows as data: a TOML file and a Python function both end here."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from angarium.model.category import Category
from angarium.model.reasons import Status


class Send(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag="send"):
    """Send over every channel named. `to` and `when` are expressions; `to` is resolved when the run starts."""

    channels: tuple[str, ...]
    to: Any = None
    content: str | None = None
    collapse_key: str | None = None
    name: str | None = None
    when: str | None = None


class FirstOf(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag="first_of"):
    """Try channels in order until one reaches the person. `within` is the seconds each slot gets."""

    channels: tuple[str, ...]
    within: float | None = None
    until: Status | None = None
    to: Any = None
    content: str | None = None
    collapse_key: str | None = None
    name: str | None = None
    when: str | None = None


class Delay(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag="delay"):
    """Wait `seconds` from the moment the step is reached."""

    seconds: float
    name: str | None = None
    when: str | None = None


class Stop(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag="stop"):
    """End here. What was handed over goes on."""

    reason: str
    name: str | None = None
    when: str | None = None


Step = Send | FirstOf | Delay | Stop


class Plan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run is pinned to when it starts: a deploy changes nothing of it."""

    steps: tuple[Step, ...]
    category: Category = Category()
    until: Status | None = None


class Workflow(Struct, frozen=True, kw_only=True):
    """One file of `workflows/`.

    `on` holds CloudEvents type globs, `to` a tree whose strings may be expressions (None: the event's subject),
    `content` the tables a channel by variant name ("" is the workflow's own), `expires` seconds.
    """

    name: str
    on: tuple[str, ...]
    to: Any = None
    category: str = "default"
    steps: tuple[Step, ...] = ()
    until: Status | None = None
    expires: float | None = None
    sensitive: tuple[str, ...] = ()
    content: dict[str, dict[str, dict[str, Any]]] = {}
