"""An event: a CloudEvents 1.0 record with `data` left as the bytes that came."""

from __future__ import annotations

from msgspec import Raw, Struct

VERSION = 1


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CloudEvents 1.0 in its structured form; the `ang*` extensions are ours.

    `angto` is the JSON text of inline recipients, `angaccepted` an RFC 3339 time, `angarium` the record's version.
    Unknown extensions are dropped on the way in from this struct, but kept in the record's own bytes.
    """

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: Raw = Raw(b"null")
    data_base64: str | None = None
    traceparent: str | None = None
    angarium: int = VERSION
    angtenant: str = "default"
    angaccepted: str = ""
    angto: str | None = None
    angchunk: int | None = None


def attributes(event: Event) -> dict[str, str | None]:
    """The context attributes that expressions and templates may speak of."""
    return {"id": event.id, "source": event.source, "type": event.type, "subject": event.subject, "time": event.time}
