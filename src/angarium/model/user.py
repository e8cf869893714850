"""People and where they can be reached."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class Address(Struct, frozen=True, omit_defaults=True):
    """One place on one channel: an e-mail address, an E.164 number, a URL, a user id for the inbox."""

    channel: str
    value: str
    device: str | None = None
    secret: str | None = None
    platform: str | None = None


class Device(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A registered device of a user: a push token, a web push subscription, a webhook endpoint."""

    id: str
    channel: str
    address: str
    secret: str | None = None
    platform: str | None = None


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A recipient, stored or inline. Without an id one is derived from the first of email, phone, webhook."""

    id: str = ""
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    webhook: str | None = None
    webhook_secret: str | None = None
    locale: str | None = None
    timezone: str | None = None
    devices: tuple[Device, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
