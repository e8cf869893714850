"""CloudEvents 1.0 as they come by HTTP: structured, in batches, and with attributes in headers ("binary").

Facts: the CloudEvents specification, its JSON format and its HTTP protocol binding, all of version 1.0.2. Whether id,
source, type, subject and time hold what they must is judged by `pipeline.accept`, for all ways in alike.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw

from angarium.api import strict
from angarium.api.strict import CONTROL, Malformed
from angarium.errors import Invalid
from angarium.pipeline.accept import Draft

#: What only CloudEvents have, so that a line of unknown form can be told apart.
MARK = "specversion"
#: Extension names that begin so are ours; nobody else may speak in our name.
OURS = "ang"

_NAME = re.compile(r"[a-z0-9]{1,20}")
_TEXTS = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"})
_REQUIRED = ("id", "source", "type")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_JSON = re.compile(r"[^;]*[/+]json\s*(?:;.*)?", re.IGNORECASE)
_INT32 = range(-(1 << 31), 1 << 31)


def structured(raw: bytes | Raw, where: str = "") -> Draft:
    """One event of the JSON format. Raises `Malformed`, or `Invalid` with a pointer that begins with `where`."""
    found = strict.members(raw, where)
    data, encoded = found.pop("data", None), found.pop("data_base64", None)
    if data is not None:
        strict.value(data, f"{where}/data")
    if data is not None and encoded is not None:
        raise Invalid(f"{where}/data_base64", "stands beside `data`", "send one of the two")
    read = {name: strict.value(raw, strict.pointer(where, name)) for name, raw in found.items()}
    return Draft(
        attributes=_attributes(read, lambda name: strict.pointer(where, name)),
        data=Raw(b"null") if data is None else data,
        data_base64=None if encoded is None else _bytes_text(strict.value(encoded, where), f"{where}/data_base64"),
    )


def batch(raw: bytes) -> tuple[Draft, ...]:
    """The events of a JSON batch, which may be empty."""
    return tuple(structured(item, f"/{index}") for index, item in enumerate(strict.items(raw)))


def binary(headers: Iterable[tuple[str, str]], body: bytes) -> Draft:
    """One event whose attributes are headers `ce-*` and whose data is the body. Names are lower case.

    Every value is a text here. Raises `Malformed` for a header or a body that cannot be decoded, or `Invalid`.
    """
    read: dict[str, Any] = {}
    kind: str | None = None
    for name, text in headers:
        if name == "content-type":
            kind = text
        elif name.startswith("ce-"):
            if name[3:] in read:
                raise Malformed(name, "comes twice", "send it once")
            read[name[3:]] = _header(text, name)
    for name in ("data", "data_base64", "datacontenttype"):
        if name in read:
            raise Invalid(f"ce-{name}", "is no header of an event", "the body is the data, Content-Type its type")
    attributes = _attributes(read, lambda name: f"ce-{name}")
    if kind is not None:
        attributes["datacontenttype"] = kind
    return _with_data(attributes, kind, body)


def _with_data(attributes: dict[str, Any], kind: str | None, body: bytes) -> Draft:
    """JSON stays the bytes that came; other texts become a JSON string, and the rest base64, as the format wants."""
    if not body:
        return Draft(attributes=attributes)
    if kind is None or _JSON.fullmatch(kind):
        strict.value(body, "/data")
        return Draft(attributes=attributes, data=Raw(body))
    if kind.lower().startswith("text/"):
        try:
            return Draft(attributes=attributes, data=Raw(msgspec.json.encode(body.decode())))
        except UnicodeDecodeError:
            pass
    return Draft(attributes=attributes, data_base64=b64encode(body).decode())


def _attributes(read: Mapping[str, Any], where: Callable[[str], str]) -> dict[str, Any]:
    """The context attributes that are set, checked. `where(name)` is the place of one."""
    if read.get(MARK) != "1.0":
        raise Invalid(where(MARK), "is not 1.0", 'write "specversion": "1.0"')
    checked = {name: _attribute(name, value, where(name)) for name, value in read.items() if value is not None}
    del checked[MARK]
    for name in _REQUIRED:
        if name not in checked:
            raise Invalid(where(name), "is missing", "every CloudEvent needs id, source, type and specversion")
    return checked


def _attribute(name: str, value: Any, where: str) -> Any:
    if not _NAME.fullmatch(name):
        raise Invalid(where, "has a name that is no attribute's", "use 1 to 20 of a-z and 0-9")
    if name.startswith(OURS):
        raise Invalid(where, "is a name that Angarium keeps for itself", f"do not begin it with `{OURS}`")
    if name in _TEXTS and not (isinstance(value, str) and value):
        raise Invalid(where, "is not a text" if value != "" else "is empty", "write it as a string, or leave it out")
    if isinstance(value, str) and CONTROL.search(value):
        raise Invalid(where, "holds a control character", "take it out")
    if isinstance(value, str | bool) or (isinstance(value, int) and value in _INT32):
        return value
    raise Invalid(where, "has a value of no attribute's type", "use a string, a boolean or a 32-bit integer")


def _header(text: str, name: str) -> str:
    """Quotes are undone first, then percent-encoding, once (HTTP binding, 3.1.3.2)."""
    plain = _QUOTED.sub(lambda found: re.sub(r"\\(.)", r"\1", found[1]), text)
    try:
        return unquote_to_bytes(plain.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise Malformed(name, "is not UTF-8 when its percent-encoding is undone", "encode its UTF-8 bytes") from None


def _bytes_text(value: Any, where: str) -> str:
    try:
        b64decode(value if isinstance(value, str) else "*", validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(where, "is not base64", "write the bytes in base64 with padding") from None
    return str(value)
