"""The audit's figures on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from angarium.cli.show import clean, style
from angarium.cli.stories import readable


class Tally(Struct, frozen=True):
    """Deliveries of one channel that stand alike."""

    channel: str
    status: str
    count: int
    reason: str | None = None


class Unfinished(Struct, frozen=True):
    """A notification that still runs; `age` in seconds."""

    id: str
    age: float = 0.0
    why: str = ""


class Hole(Struct, frozen=True):
    """Something that should be there and is not."""

    what: str
    id: str
    problem: str


class Audit(Struct, frozen=True):
    """The answer, as far as it is shown."""

    ok: bool
    complete: bool
    events: dict[str, int] = {}
    runs: int = 0
    notifications: dict[str, int] = {}
    deliveries: tuple[Tally, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    holes: tuple[Hole, ...] = ()
    hole_count: int = 0
    lag: dict[str, int] = {}


def audit(found: Mapping[str, Any]) -> Audit:
    """What the server counted, read. Raises `Unavailable`."""
    return readable(found, Audit)


def shown(told: Audit) -> RenderableType:
    """Sums first, then deliveries by status, then what is under way, then holes, and the verdict last."""
    lines = [("events", counts(told.events)), ("runs", str(told.runs)), ("notifications", counts(told.notifications))]
    parts: list[RenderableType] = [Text.assemble((f"{name:<14}", "dim"), said) for name, said in lines]
    if told.deliveries:
        parts.append(deliveries(told.deliveries))
    return Group(*parts, *_rest(told), verdict(told))


def counts(found: Mapping[str, int]) -> str:
    """`12 matched, 3 unmatched`; zeros are left out."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found.items() if count) or "none"


def deliveries(tallies: tuple[Tally, ...]) -> Table:
    """One row for each channel, status and reason."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("deliveries", "channel", "status", "reason"):
        table.add_column(name, justify="right" if name == "deliveries" else "left")
    for one in sorted(tallies, key=lambda one: (one.channel, one.status, one.reason or "")):
        table.add_row(str(one.count), one.channel, Text(one.status, style(one.status)), one.reason or "")
    return table


def verdict(told: Audit) -> Text:
    """The one sentence that counts."""
    if not told.ok:
        return Text(f"{told.hole_count} HOLES: something is missing.", "bold red")
    if told.complete:
        return Text("Nothing is missing: everything that came in is accounted for, and all of it is at rest.", "green")
    return Text("Nothing is missing so far; some of it is still under way.", "yellow")


def _rest(told: Audit) -> Iterator[Text]:
    for topic, records in sorted(told.lag.items()):
        yield Text(f"waiting: {records} records in {topic}")
    for one in told.unfinished:
        yield Text(f"under way for {one.age:.0f} s: {one.id}, {clean(one.why)}")
    for hole in told.holes:
        yield Text(f"hole: {hole.what} {clean(hole.id)}: {clean(hole.problem)}", "red")
