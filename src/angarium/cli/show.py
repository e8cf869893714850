"""How things look on a terminal. Data is put into `Text`, so that nothing in it is read as markup or as a command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from angarium.cli.stories import BAD, GOOD, NOTHING, OPEN, Event, Explanation, Notification
from angarium.cli.watch import News


def style(status: str | None) -> str:
    """A colour for a status or an outcome; the word itself is always there too."""
    for words, colour in ((GOOD, "green"), (BAD | NOTHING, "red"), (OPEN, "yellow")):
        if status in words:
            return colour
    return "cyan" if status == "sent" else ""


def clean(text: str) -> str:
    """Without characters that steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def line(news: News) -> Text:
    """One line of what happened."""
    who = f"{news.user} · {news.workflow} · " if news.user else f"{news.workflow} · " if news.workflow else ""
    return Text.assemble(
        (f"{news.ms:>7} ms  ", "dim"), (f"{news.status:<12}", style(news.status)), clean(f"{who}{news.sentence}")
    )


def happening(news: Iterable[News]) -> Table:
    """The newest of what happened, a row each, cut off at the edge of the screen."""
    made = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for name, justify in (("ms", "right"), ("status", "left"), ("person", "left"), ("workflow", "left")):
        made.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    made.add_column("decision", no_wrap=True, ratio=1, overflow="ellipsis")
    for one in news:
        status = Text(one.status, style(one.status))
        made.add_row(str(one.ms), status, clean(one.user), clean(one.workflow), Text(clean(one.sentence)))
    return made


def explained(told: Explanation, *, timeline: bool) -> RenderableType:
    """Events first, then each notification with its decisions, and on demand with its timeline."""
    blocks: list[RenderableType] = [event(one) for one in told.events]
    blocks += [notification(one, timeline=timeline) for one in told.notifications]
    if not blocks:
        blocks = [Text("Nothing is known of it: no notification fits.")]
    if told.more:
        blocks.append(Text("There are older ones: ask for more with --limit.", "dim"))
    return Group(*blocks)


def event(one: Event) -> Text:
    """An event and its runs."""
    head = Text.assemble(("event ", "dim"), (clean(one.id), "bold"), f" {clean(one.type)}" if one.type else "")
    said = Text.assemble("\n  ", (one.outcome or "unknown", style(one.outcome)), ": ", clean(one.sentence))
    runs = [Text(f"\n    {clean(run.workflow)}: {clean(run.sentence)}") for run in one.runs]
    return Text("").join([head, said, *runs])


def notification(one: Notification, *, timeline: bool) -> Text:
    """A notification: what it is, then a line a decision."""
    return Text("\n").join(_notification(one, timeline=timeline))


def _notification(one: Notification, *, timeline: bool) -> Iterator[Text]:
    yield Text.assemble(("notification ", "dim"), (one.id, "bold"), f" to {clean(one.user)}")
    yield Text(f"  {clean(one.workflow)} ({clean(one.category)}), started {one.started}: {clean(one.sentence)}")
    for decision in one.decisions:
        status = decision.status or "-"
        yield Text.assemble(f"    {decision.step:>2} ", (f"{status:<12}", style(status)), clean(decision.sentence))
    for entry in one.timeline if timeline else ():
        said = " ".join(part for part in (entry.reason, entry.detail) if part)
        yield Text.assemble("      ", (entry.at, "dim"), f" {entry.kind:<10} {clean(said)}")


def table(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    """Some columns of a list. Nothing is cut off: long values go on in the next line."""
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        made.add_column(name, overflow="fold")
    for item in items:
        made.add_row(*(Text(cell(item.get(name))) for name in columns))
    return made


def fields(item: Mapping[str, Any]) -> Text:
    """Every field of one thing, a line each."""
    wide = max(map(len, item), default=0)
    return Text("\n").join(Text.assemble((f"{name:<{wide}}  ", "dim"), cell(value)) for name, value in item.items())


def cell(value: Any) -> str:
    """One value as text; nothing for null."""
    if value is None:
        return ""
    return clean(", ".join(map(str, value)) if isinstance(value, list) else str(value))
