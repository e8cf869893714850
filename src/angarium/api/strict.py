"""JSON as it is taken from outside: whole, bounded, and nothing in it that a later reader could stumble over.

Of an object the members are kept as the bytes that came, so that data is decoded once and forwarded untouched. Of a
name that comes twice the last one counts. No error quotes what it found.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from angarium.errors import Invalid, nearest

#: Arrays and objects inside one another. Every reader after us has room for it on its stack.
DEEPEST = 400
#: Control characters and line separators, which no name and no attribute may hold.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: Characters of a member's name that a pointer repeats.
SHOWN = 64

_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_any = msgspec.json.Decoder()
_BYTE = re.compile(r"\(byte (\d+)\)")
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_MEND = "send JSON as RFC 8259 has it, in UTF-8"


class Malformed(Invalid):
    """Bytes that are no JSON, or JSON that nobody could forward. The request is answered with 400."""


def value(raw: bytes | Raw, where: str = "") -> Any:
    """What a JSON text means. `where` is its JSON pointer. Raises `Malformed`."""
    try:
        found = _any.decode(raw)
    except RecursionError:
        raise _too_deep(where) from None
    except UnicodeDecodeError:
        raise Malformed(where, "is not UTF-8", _MEND) from None
    except msgspec.ValidationError:
        raise Malformed(where, "holds a number out of range", "send such a number as a string") from None
    except msgspec.DecodeError as error:
        raise Malformed(where, _syntax(error), _MEND) from None
    data = bytes(raw)
    if data.count(b"[") + data.count(b"{") > DEEPEST:
        _check_depth(found, where)
    return found


def members(raw: bytes | Raw, where: str = "") -> dict[str, Raw]:
    """The members of an object. Raises `Malformed`, or `Invalid` for another kind of value."""
    try:
        return _members.decode(raw)
    except (RecursionError, UnicodeDecodeError, msgspec.DecodeError):
        value(raw, where)
        raise Invalid(where, "is not an object", "an event is a JSON object") from None


def items(raw: bytes | Raw, where: str = "") -> list[Raw]:
    """The items of an array. Raises `Malformed`, or `Invalid` for another kind of value."""
    try:
        return _items.decode(raw)
    except (RecursionError, UnicodeDecodeError, msgspec.DecodeError):
        value(raw, where)
        raise Invalid(where, "is not an array", "a batch is a JSON array of events") from None


def misfit(error: msgspec.ValidationError, kind: Any) -> Invalid:
    """What is wrong with a body that is JSON and no `kind`, from msgspec's words: they may quote, these do not."""
    text = str(error)
    place = "".join(f"/{first or second}" for first, second in _STEP.findall(text.rpartition(" - at `$")[2]))
    if found := re.match(r"Object contains unknown field `(.*?)`", text):
        known = [field.encode_name for field in msgspec.structs.fields(kind)]
        return Invalid(pointer(place, found[1]), "is not known here", nearest(found[1], known))
    if found := re.match(r"Object missing required field `(\w+)`", text):
        return Invalid(f"{place}/{found[1]}", "is missing", "give it a value")
    if found := re.match(r"Expected `([\w| ]+)`, got `([\w| ]+)`", text):
        return Invalid(place, f"is of type {found[2]}", f"expected {found[1]}")
    if found := re.match(r"Expected `[\w| ]+`( of length)? ([<>]=?) (\d+)", text):
        return Invalid(place, f"has the wrong {'length' if found[1] else 'size'}", f"it must be {found[2]} {found[3]}")
    return Invalid(place, "has a value that is not taken", "see the API document for those that are")


def pointer(where: str, name: str) -> str:
    """The JSON pointer (RFC 6901) of a member. A name that may not be shown points at what holds it."""
    if CONTROL.search(name) or len(name) > SHOWN:
        return where
    return f"{where}/{name.replace('~', '~0').replace('/', '~1')}"


def _syntax(error: msgspec.DecodeError) -> str:
    """msgspec names the byte for all but two mistakes, which it calls by one name."""
    found = _BYTE.search(str(error))
    return f"is not JSON (byte {found[1]})" if found else "is cut short, or holds half of a surrogate pair"


def _check_depth(found: Any, where: str) -> None:
    """Level by level, for a stack of our own would be as deep as the data."""
    level, depth = [found], 0
    while level := [one for one in level if isinstance(one, list | dict)]:
        depth += 1
        if depth > DEEPEST:
            raise _too_deep(where)
        level = [child for one in level for child in (one.values() if isinstance(one, dict) else one)]


def _too_deep(where: str) -> Malformed:
    return Malformed(where, f"is nested deeper than {DEEPEST}", "make it flatter")
