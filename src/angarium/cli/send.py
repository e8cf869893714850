"""`angarium send`: one event, or a file of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from angarium.cli import bulk, show, values
from angarium.cli.bulk import Item
from angarium.cli.stories import Explanation, settled, succeeded
from angarium.cli.watch import News, Watch, follow
from angarium.cli.world import OPTIONS, Options, Surroundings, World, client
from angarium.client.answers import Stored
from angarium.client.sync import Client
from angarium.errors import AngariumError, Invalid

PATIENCE = timedelta(seconds=30)


@Parameter(name="*")
@dataclass(frozen=True)
class Event:
    """What one event says beside its type."""

    to: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    """A recipient: an id, or JSON such as {"id": "anna", "email": "anna@example.com"}. May be given several times."""
    data: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """The event's data: JSON, @file, or - for standard input."""
    id: str | None = None
    """The event's id; a second event of the same id and source changes nothing."""
    subject: str | None = None
    """What the event is about, often a person's id."""
    source: str | None = None
    """Where it comes from."""

    def given(self, type: str | None, world: World) -> dict[str, Any]:  # noqa: A002
        """The event, without what was not said. Raises `Invalid`."""
        read = {"to": values.recipients(self.to), "data": values.data(self.data, world)}
        event = {"type": type, **vars(self), **read}
        return {name: value for name, value in event.items() if value is not None}


EVENT = Event()


def send(
    type: str | None = None,  # noqa: A002 (CloudEvents names it so)
    *,
    event: Event = EVENT,
    key: str | None = None,
    file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    repeat: int | None = None,
    watch: Annotated[bool, Parameter(negative="")] = False,
    timeout: timedelta = PATIENCE,
    options: Options = OPTIONS,
    world: Surroundings,
) -> int:
    """Hand an event over, or a file of them, and watch what becomes of it.

    Parameters
    ----------
    type
        The event's type, such as order.shipped.
    key
        An idempotency key: the same command again changes nothing.
    file
        Events, one JSON object a line, plain or CloudEvents; - is standard input.
    repeat
        Send the file so often, each time under new ids.
    watch
        Follow the event until all its deliveries are at rest; the exit code is 1 when one of them failed.
    timeout
        How long to watch, such as 30s or 5m.
    """
    if file is not None:
        _check_alone(event.given(type, world), watch)
        return _file(file, repeat, key, options, world)
    if type is None or repeat is not None:
        problem = "no type of an event is given" if type is None else "--repeat is for files"
        raise Invalid("send", problem, "write angarium send order.shipped, or name a file with --file")
    given = event.given(type, world)
    with client(world, options) as server:
        return _one(server, given, key, timeout.total_seconds() if watch else None, world, as_json=options.json)


def _check_alone(given: dict[str, Any], watch: bool) -> None:
    """The events of a file say all that there is to say."""
    names = [f"--{name}" if name != "type" else "a type" for name in given] + (["--watch"] if watch else [])
    if names:
        mend = "leave it out" if names != ["--watch"] else "look with angarium audit afterwards"
        raise Invalid(names[0], "does not go with --file", mend)


def _one(
    server: Client, event: dict[str, Any], key: str | None, patience: float | None, world: World, *, as_json: bool
) -> int:
    """Hand one event over; follow it for `patience` seconds, if any."""
    began = world.elapsed()
    stored = server.publish([event], key).events[0]
    ms = round((world.elapsed() - began) * 1000)
    if patience is None:
        _say(world, stored, f"accepted {stored.id}", as_json=as_json)
        return 0
    _tell(world, News(ms=ms, status="accepted", sentence=f"{event['type']} is on disk as {stored.id}"), as_json=as_json)
    told = Explanation()
    for look in follow(server, stored, began, Watch(world.elapsed, world.pause, patience)):
        told = look.told
        for one in look.news:
            _tell(world, one, as_json=as_json)
    if not settled(told):
        world.err.write(f"angarium: after {patience:g} s not all is at rest; look with {_explain(stored)}\n")
    elif not as_json:
        world.console().print(f"At rest. Why all this: {_explain(stored)}", soft_wrap=True)
    return 0 if settled(told) and succeeded(told) else 1


def _file(name: str, repeat: int | None, key: str | None, options: Options, world: World) -> int:
    """All events of a file."""
    if repeat is not None and repeat < 1:
        raise Invalid("--repeat", "must be at least 1", "leave it out to send the file once")
    source = bulk.lines(name, world)
    total = sum(1 for line in source() if line.strip()) * (repeat or 1)
    began = world.elapsed()
    with client(world, options) as server:
        done = _batches(server, bulk.batches(bulk.items(source, repeat)), key, total, world)
    seconds = world.elapsed() - began
    if options.json:
        world.document({"accepted": done, "seconds": round(seconds, 3)})
    else:
        rate = f", {done / seconds:.0f} a second" if seconds > 0 else ""
        world.console().print(f"{done} events accepted in {seconds:.2f} s{rate}")
    return 0


def _batches(server: Client, found: Iterable[Sequence[Item]], key: str | None, total: int, world: World) -> int:
    """Hand them over, with a progress bar where somebody looks; how many were accepted."""
    done = 0
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=world.console(errors=True), disable=not world.err.isatty()) as bar:
            shown = bar.add_task("events", total=total)
            for number, batch in enumerate(found):
                bulk.deliver(server, batch, f"{key}-{number}" if key else None, world.pause)
                done += len(batch)
                bar.update(shown, completed=done)
    except AngariumError:
        if done:
            world.err.write(f"angarium: {done} events were accepted before this:\n")
        raise
    return done


def _explain(stored: Stored) -> str:
    return f"angarium explain --event {stored.id}"


def _say(world: World, stored: Stored, sentence: str, *, as_json: bool) -> None:
    if as_json:
        world.document(stored)
    else:
        world.console().print(f"{sentence}\nWhat becomes of it: {_explain(stored)}", soft_wrap=True)


def _tell(world: World, news: News, *, as_json: bool) -> None:
    if as_json:
        world.document(news)
    else:
        world.console().print(show.line(news), soft_wrap=True)
        world.out.flush()
