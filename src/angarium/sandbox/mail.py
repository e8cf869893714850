"""The body of SendGrid's `POST /v3/mail/send`, and everything for which the service refuses one.

Facts: SendGrid's OpenAPI document of the v3 mail API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

#: Headers that the service writes itself.
RESERVED = frozenset(
    {"to", "from", "subject", "reply-to", "cc", "bcc", "content-type", "content-transfer-encoding", "received"}
    | {"dkim-signature", "x-sg-id", "x-sg-eid"}
)
ADDRESS = re.compile(r"[^@\s,;<>()\"\\]{1,64}@[^@\s,;<>()\"\\.]+(\.[^@\s,;<>()\"\\.]+)*")
FIELD = re.compile(r"field `([^`]*)`")
MAX_RECIPIENTS, MAX_CATEGORIES, MAX_ARGS, MAX_AHEAD = 1000, 10, 10_000, 72 * 3600
#: What is wrong, and the path to the field where there is one.
Problem = tuple[str, str | None]


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The service refuses what it does not know, on every level."""


class Mailbox(_Part, frozen=True, kw_only=True):
    """An address with the name to show."""

    email: str
    name: str | None = None


class Content(_Part, frozen=True, kw_only=True):
    """One part of the body."""

    type: str
    value: str


class Attachment(_Part, frozen=True, kw_only=True):
    """A file; `content` is base64."""

    content: str
    filename: str
    type: str | None = None
    disposition: str | None = None
    content_id: str | None = None


class Personalization(_Part, frozen=True, kw_only=True):
    """One envelope."""

    to: list[Mailbox]
    from_: Mailbox | None = field(name="from", default=None)
    cc: list[Mailbox] = []
    bcc: list[Mailbox] = []
    subject: str | None = None
    headers: dict[str, str] = {}
    substitutions: dict[str, str] = {}
    dynamic_template_data: dict[str, Any] = {}
    custom_args: dict[str, str] = {}
    send_at: int | None = None


class Mail(_Part, frozen=True, kw_only=True):
    """The request body. Settings that a stand-in has no use for are only known by name."""

    personalizations: list[Personalization]
    from_: Mailbox = field(name="from")
    reply_to: Mailbox | None = None
    reply_to_list: list[Mailbox] | None = None
    subject: str | None = None
    content: list[Content] = []
    attachments: list[Attachment] = []
    template_id: str | None = None
    headers: dict[str, str] = {}
    categories: list[str] = []
    custom_args: dict[str, str] = {}
    send_at: int | None = None
    batch_id: str | None = None
    asm: dict[str, Any] | None = None
    ip_pool_name: str | None = None
    mail_settings: dict[str, Any] | None = None
    tracking_settings: dict[str, Any] | None = None


def unreadable(error: msgspec.DecodeError) -> Problem:
    """What is wrong with the form of a body, and where: `$.personalizations[0].to` becomes `personalizations.0.to`."""
    text, _, path = str(error).partition(" - at `$")
    place = re.sub(r"\[(\d+)\]", r".\1", path.rstrip("`").removesuffix("[...]"))
    named = FIELD.search(text)  # an unknown or a missing one is named beside the path
    return text, f"{place}.{named[1]}".lstrip(".") if named else place.lstrip(".") or None


def problems(mail: Mail, now: float) -> Iterator[Problem]:
    """Everything the service would refuse in a mail of the right form."""
    yield from _recipients(mail)
    yield from _mailbox("from", mail.from_)
    if mail.reply_to:
        yield from _mailbox("reply_to", mail.reply_to)
    yield from _content(mail)
    yield from _headers(mail)
    yield from _custom_args(mail)
    if len(mail.categories) > MAX_CATEGORIES or len(set(mail.categories)) < len(mail.categories):
        yield f"at most {MAX_CATEGORIES} different categories are allowed", "categories"
    if mail.send_at is not None and mail.send_at > now + MAX_AHEAD:
        yield "a mail can be scheduled at most 72 hours ahead", "send_at"


def _recipients(mail: Mail) -> Iterator[Problem]:
    if not mail.personalizations:
        yield "at least one personalization is required", "personalizations"
    if sum(len(person.to) + len(person.cc) + len(person.bcc) for person in mail.personalizations) > MAX_RECIPIENTS:
        yield f"at most {MAX_RECIPIENTS} recipients are allowed", "personalizations"
    for number, person in enumerate(mail.personalizations):
        place = f"personalizations.{number}"
        everyone = {"to": person.to, "cc": person.cc, "bcc": person.bcc}
        addresses = [mailbox.email.lower() for mailboxes in everyone.values() for mailbox in mailboxes]
        if not person.to:
            yield "at least one recipient is required", f"{place}.to"
        if len(set(addresses)) < len(addresses):
            yield "an address may come only once in a personalization", f"{place}.to"
        for kind, mailboxes in everyone.items():
            for index, mailbox in enumerate(mailboxes):
                yield from _mailbox(f"{place}.{kind}.{index}", mailbox)
        if not (person.subject or mail.subject or mail.template_id):
            yield "the subject is required", "subject"


def _mailbox(place: str, mailbox: Mailbox) -> Iterator[Problem]:
    if not ADDRESS.fullmatch(mailbox.email):
        yield "this is no e-mail address", f"{place}.email"


def _content(mail: Mail) -> Iterator[Problem]:
    types = [part.type for part in mail.content]
    if not types and not mail.template_id:
        yield "at least one content is required", "content"
    if any(not part.value or not part.type for part in mail.content):
        yield "a content needs a type and a value that is not empty", "content"
    if types != sorted(types, key=lambda kind: {"text/plain": 0, "text/html": 1}.get(kind, 2)):
        yield "text/plain comes first, text/html second, other types after them", "content"


def _headers(mail: Mail) -> Iterator[Problem]:
    for name in [*mail.headers, *(name for person in mail.personalizations for name in person.headers)]:
        if name.lower() in RESERVED:
            yield "this header is reserved", f"headers.{name}"


def _custom_args(mail: Mail) -> Iterator[Problem]:
    for person in mail.personalizations:
        both = mail.custom_args | person.custom_args
        if sum(len(name.encode()) + len(value.encode()) for name, value in both.items()) > MAX_ARGS:
            yield f"custom_args take more than {MAX_ARGS} bytes", "custom_args"
