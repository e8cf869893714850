"""Events as plain JSON with the recipients inside, and lines of events: for whoever does not know CloudEvents."""

from __future__ import annotations

from msgspec import Raw

from angarium.api import cloudevents, strict
from angarium.api.problems import OnLine
from angarium.errors import Invalid, nearest
from angarium.pipeline.accept import Draft

ATTRIBUTES = ("id", "source", "type", "subject", "time")
KNOWN = (*ATTRIBUTES, "data", "to")


def event(raw: bytes | Raw, where: str = "") -> Draft:
    """One event: `type`, and at will `to`, `data`, `id`, `source`, `subject`, `time`. null means left out.

    Raises `Malformed`, or `Invalid` with a pointer that begins with `where`.
    """
    found = strict.members(raw, where)
    for name in found:
        if name == cloudevents.MARK:
            raise Invalid(f"{where}/{name}", "makes it a CloudEvent", "send it as application/cloudevents+json")
        if name not in KNOWN:
            raise Invalid(strict.pointer(where, name), "is not known of an event", nearest(name, KNOWN))
    read = {name: strict.value(raw, f"{where}/{name}") for name, raw in found.items()}
    return Draft(
        attributes={name: read[name] for name in ATTRIBUTES if read.get(name) is not None},
        data=found.get("data", Raw(b"null")),
        to=read.get("to"),
    )


def events(raw: bytes) -> tuple[Draft, ...]:
    """A list of events, which may be empty."""
    return tuple(event(item, f"/{index}") for index, item in enumerate(strict.items(raw)))


def lines(body: bytes) -> tuple[tuple[Draft, ...], tuple[int, ...]]:
    """The events of NDJSON and the line of each, from 1 on; blank lines are passed over.

    A line is a CloudEvent if it says so, else plain JSON. Raises `OnLine`.
    """
    numbered = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    return tuple(_line(number, line) for number, line in numbered), tuple(number for number, _ in numbered)


def _line(number: int, line: bytes) -> Draft:
    try:
        if cloudevents.MARK in strict.members(line):
            return cloudevents.structured(line)
        return event(line)
    except Invalid as error:
        raise OnLine(error, number) from error
