"""Our records on the wire: JSON with a version, decoded once."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from angarium.errors import AngariumError, Incompatible
from angarium.model.delivery import Handover
from angarium.model.event import Event
from angarium.model.fact import Fact

T = TypeVar("T")

encode = msgspec.json.Encoder().encode
_events = msgspec.json.Decoder(Event)
_facts = msgspec.json.Decoder(Fact)
_handovers = msgspec.json.Decoder(Handover)


class Undecodable(AngariumError):
    """A record that is not what its topic holds: it goes to the dead letters."""


class _Version(msgspec.Struct, frozen=True):
    v: int | None = None
    angarium: int | None = None


def event(value: bytes) -> Event:
    """An `events.P` record. Raises `Undecodable` or `Incompatible`."""
    return _decoded(_events, value)


def fact(value: bytes) -> Fact:
    """A `journal.P` record. Raises `Undecodable` or `Incompatible`."""
    found: Fact = _decoded(_facts, value)
    return found


def handover(value: bytes) -> Handover:
    """A `deliver.C.P` record. Raises `Undecodable` or `Incompatible`."""
    return _decoded(_handovers, value)


def _decoded(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    try:
        found = decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _check_version(value)
        raise Undecodable(f"not a record of this topic: {_without_values(error)}") from error
    version: int = getattr(found, "v", 0) or getattr(found, "angarium", 1)
    if version > 1:
        raise Incompatible(version)
    return found


def _check_version(value: bytes) -> None:
    """A shape we cannot read may be a newer one: then the worker must stop, not throw it away."""
    try:
        found = msgspec.json.decode(value, type=_Version)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    version = found.v or found.angarium or 1
    if version > 1:
        raise Incompatible(version)


def _without_values(error: Exception) -> str:
    """msgspec names the place and the type that it expected, and quotes an enum's wrong value: that is cut out."""
    return str(error).split("'")[0].strip() if "enum" in str(error) else str(error)
