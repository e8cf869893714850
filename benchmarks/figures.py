"""What a question is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct


class Failed(Exception):
    """A measurement that does not measure what it says: something died, was refused, or never arrived."""


class Figure(Struct, frozen=True):
    """One answer. `conditions` say under what load and on what side of the wire it was measured."""

    name: str
    value: float
    unit: str
    conditions: str


class Size(Struct, frozen=True):
    """How much is done. Seconds are of measuring, without warming up; `repeats` is of what takes about a second."""

    load_seconds: float
    backlog: int
    open_seconds: float
    idle_seconds: float
    repeats: int


FULL = Size(load_seconds=5.0, backlog=10_000, open_seconds=15.0, idle_seconds=5.0, repeats=3)
SMALL = Size(load_seconds=1.0, backlog=1_000, open_seconds=2.0, idle_seconds=1.0, repeats=1)

Question = Callable[[Size], Sequence[Figure]]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by this share of all (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def line(figure: Figure, reference: float | None = None) -> str:
    """As it is printed: name, value, unit, what was recorded last, conditions."""
    beside = "" if reference is None else f"[{number(reference)}] "
    return f"{figure.name:<20} {number(figure.value):>10} {figure.unit:<16} {beside}{figure.conditions}"


def number(value: float) -> str:
    """Three digits that matter, or all that stand before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
