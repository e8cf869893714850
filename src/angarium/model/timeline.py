"""What is kept beside a notification: lines of its timeline, and timers that bring it back."""

from __future__ import annotations

from msgspec import Struct

from angarium.model.reasons import Priority, Reason


class Line(Struct, frozen=True, kw_only=True):
    """A line of a notification's timeline. `fact` identifies it; `at` is Unix seconds."""

    notification: str
    fact: str
    tenant: str
    at: float
    kind: str
    delivery: str | None = None
    reason: Reason | None = None
    detail: str = ""


class Timer(Struct, frozen=True, kw_only=True):
    """`subject/hop` is its id; `due` is Unix seconds by the database's clock."""

    subject: str
    hop: str
    tenant: str
    notification: str
    priority: Priority
    due: float


class Suppression(Struct, frozen=True, kw_only=True):
    """An address that must not be used again, and the report that said so."""

    tenant: str
    channel: str
    address: str
    reason: Reason
    source: str
    at: float
