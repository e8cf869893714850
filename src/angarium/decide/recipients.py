"""Who gets it: the event's own recipients, else the workflow's `to`, else the event's subject.

What names a person is an id (a text) or an inline person (a table with addresses). Addresses are judged strictly and
simply: what is refused here never reaches a service. Errors carry a JSON pointer, never the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from angarium.errors import AngariumError, Invalid, nearest
from angarium.model.ids import digest
from angarium.model.reasons import Reason
from angarium.model.user import Device, Person

MAX_RECIPIENTS = 1000
#: RFC 5321 4.5.3.1.3 leaves 254 characters for an address.
MAX_EMAIL = 254
MAX_TEXT = 256
MAX_URL = 2048

#: Control characters, line separators, and halves of characters that cannot be written as UTF-8.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LOCAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}")
_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
_TIMEZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")


class NoRecipient(AngariumError):
    """A run that nobody gets. The sentence says why; it holds no address."""

    reason = Reason.no_recipient


def recipients(
    workflow_to: Any,
    inline: Sequence[Person] | None,
    event_subject: str | None,
    resolved: Any,
    limit: int = MAX_RECIPIENTS,
) -> tuple[Person, ...]:
    """The people of one run, each id once, in the order they were named.

    `inline` came with the event and wins over the workflow's `to` (`workflow_to`, whose value is `resolved`); a
    workflow without `to` means the event's subject. Raises `NoRecipient` when that is nobody, `Invalid` (pointer
    below `/to`) when it is no person or more than `limit`.
    """
    if inline:
        return _each_once(inline, limit)
    if workflow_to is not None:
        if _empty(resolved):
            raise NoRecipient("the workflow's `to` came to nothing for this event")
        return people(resolved, "/to", limit)
    if event_subject is None or not event_subject.strip():
        raise NoRecipient("the workflow has no `to`, and the event names neither recipients nor a subject")
    return (Person(id=_identifier(event_subject, "/subject")),)


def people(data: Any, where: str = "/to", limit: int = MAX_RECIPIENTS) -> tuple[Person, ...]:
    """One person or a list of them, as ids or tables; each once. Raises `Invalid`."""
    if not isinstance(data, list | tuple):
        return (person(data, where),)
    if not data:
        raise Invalid(where, "is an empty list", "name at least one recipient, or leave it out")
    if len(data) > limit:
        raise _too_many(where, limit)
    return _each_once([person(one, f"{where}/{index}") for index, one in enumerate(data)], limit, where)


def person(data: Any, where: str) -> Person:
    """A person from an id or a table. `where` is the JSON pointer of `data`. Raises `Invalid`.

    A table without an id gets one made of its first address, so that the same address is the same person.
    """
    if isinstance(data, str):
        return Person(id=_identifier(data, where))
    if not isinstance(data, Mapping):
        raise Invalid(where, "is neither an id nor a person", "give a text, or a table with email, phone or webhook")
    readers = {key: _reader(key, where) for key in data}
    fields = {key: readers[key](value, f"{where}/{key}") for key, value in data.items() if value is not None}
    if not fields.get("id"):
        fields["id"] = _derived(fields, where)
    return Person(**fields)


def is_inline(someone: Person) -> bool:
    """Whether more than an id is known, so that it must travel with the event."""
    return someone != Person(id=someone.id)


def _empty(resolved: Any) -> bool:
    return resolved is None or (isinstance(resolved, str | list | tuple | Mapping) and not resolved)


def _each_once(found: Sequence[Person], limit: int, where: str = "/to") -> tuple[Person, ...]:
    """The first one of an id stays; a bare id gives way to one that brings its addresses."""
    kept: dict[str, Person] = {}
    for one in found:
        if one.id not in kept or not is_inline(kept[one.id]):
            kept[one.id] = one
    if len(kept) > limit:
        raise _too_many(where, limit)
    return tuple(kept.values())


def _too_many(where: str, limit: int) -> Invalid:
    return Invalid(where, f"names more than {limit} recipients", "send several events, or use an audience")


def _derived(fields: Mapping[str, Any], where: str) -> str:
    for name in ("email", "phone", "webhook"):
        if name in fields:
            return "p_" + digest(fields[name])
    raise Invalid(where, "has neither an id nor an address", "give one of: id, email, phone, webhook")


def _reader(key: Any, where: str) -> Callable[[Any, str], Any]:
    read = _READERS.get(key)
    if read is None:
        place = where if not isinstance(key, str) or _CONTROL.search(key) else f"{where}/{_escaped(key)}"
        raise Invalid(place, "is not known of a person", nearest(str(key), _READERS))
    return read


def _escaped(key: str) -> str:
    """One token of a JSON pointer (RFC 6901)."""
    return key[:MAX_TEXT].replace("~", "~0").replace("/", "~1")


def _text(value: Any, where: str, limit: int = MAX_TEXT) -> str:
    if not isinstance(value, str):
        raise Invalid(where, "is not a text", "write it as a string")
    if len(value) > limit:
        raise Invalid(where, f"is longer than {limit} characters", "shorten it")
    if _CONTROL.search(value):
        raise Invalid(where, "holds a control character", "take it out")
    return value


def _identifier(value: Any, where: str) -> str:
    text = _text(value, where)
    if not text.strip():
        raise Invalid(where, "is empty", "name a user's id")
    return text


def email(value: Any, where: str) -> str:
    """One address as RFC 5321 routes it, without the quoting and comments that nobody's mailbox needs.

    The case of a domain means nothing (RFC 5321 2.4), so it comes back in small letters.
    """
    local, at, domain = _text(value, where, MAX_EMAIL).rpartition("@")
    if not at or "@" in local:
        raise Invalid(where, "is not one e-mail address", "write it as name@example.com")
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    if dots or not _LOCAL.fullmatch(local):
        raise Invalid(where, "has a part before the @ that cannot be used", "write it as name@example.com")
    labels = domain.lower().split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Invalid(where, "has no usable domain after the @", "write it as name@example.com")
    return f"{local}@{'.'.join(labels)}"


def phone(value: Any, where: str) -> str:
    """A number as ITU-T E.164 writes it: a plus, the country, no spaces."""
    text = _text(value, where)
    if not _PHONE.fullmatch(text):
        raise Invalid(where, "is not a phone number in E.164 form", "write it as +4915112345678")
    return text


def webhook(value: Any, where: str) -> str:
    """An http or https URL without credentials. Where it leads is judged when a connection is made."""
    text = _text(value, where, MAX_URL)
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\\]", text):
        raise Invalid(where, "is not an http or https URL", "write it as https://example.com/hook")
    if "@" in url.netloc:
        raise Invalid(where, "carries credentials", "take the part before the @ out, use webhook_secret")
    if not _HOST.fullmatch(url.netloc.removesuffix(f":{url.port}")):
        raise Invalid(where, "has no usable host", "write it as https://example.com/hook")
    return text


def _matched(pattern: re.Pattern[str], problem: str, mend: str) -> Callable[[Any, str], str]:
    def read(value: Any, where: str) -> str:
        text = _text(value, where)
        if not pattern.fullmatch(text):
            raise Invalid(where, problem, mend)
        return text

    return read


def _data(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Invalid(where, "is not a table", "write it as an object")
    return dict(value)


def _devices(value: Any, where: str) -> tuple[Device, ...]:
    if not isinstance(value, list | tuple):
        raise Invalid(where, "is not a list", "write it as a list of devices")
    return tuple(_device(one, f"{where}/{index}") for index, one in enumerate(value))


def _device(value: Any, where: str) -> Device:
    if not isinstance(value, Mapping):
        raise Invalid(where, "is not a device", "give a table with id, channel and address")
    known = Device.__struct_fields__
    for key in value:
        if key not in known:
            raise Invalid(where, "has a key that is not known of a device", nearest(str(key), known))
    try:
        return msgspec.convert({key: _text(one, f"{where}/{key}", MAX_URL) for key, one in value.items()}, Device)
    except msgspec.ValidationError:
        raise Invalid(where, "lacks a part of a device", "give id, channel and address") from None


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "id": _identifier,
    "name": _text,
    "email": email,
    "phone": phone,
    "webhook": webhook,
    "webhook_secret": _matched(
        re.compile(r"whsec_[A-Za-z0-9+/]{32,88}={0,2}"), "is not a signing secret", "write it as whsec_ and base64"
    ),
    "locale": _matched(_LOCALE, "is not a language tag", "write it as en or fa-IR"),
    "timezone": _matched(_TIMEZONE, "is not a time zone's name", "write it as Europe/Berlin"),
    "devices": _devices,
    "data": _data,
}
