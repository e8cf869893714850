"""A delivery rendered for its channel: what a provider is given.

Every message carries `id` (the delivery's id, used as idempotency key), `tag` (the signed callback reference of
`signing.reference`) and `deadline` (Unix seconds after which the call must not go on).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Email(Struct, frozen=True, kw_only=True):
    """`sender` may be empty: the account's own is used. `references` threads e-mails by Message-ID."""

    id: str
    to: str
    to_name: str = ""
    sender: str = ""
    reply_to: str = ""
    subject: str
    text: str
    html: str = ""
    headers: dict[str, str] = {}
    references: tuple[str, ...] = ()
    tag: str = ""
    deadline: float = 0.0


class Sms(Struct, frozen=True, kw_only=True):
    """`callback_url` is where the service reports; it carries `delivery_id` and `ref`."""

    id: str
    to: str
    text: str
    callback_url: str = ""
    tag: str = ""
    deadline: float = 0.0


class Hook(Struct, frozen=True, kw_only=True):
    """A webhook call; `secrets` are `whsec_...`, more than one while they are rotated."""

    id: str
    url: str
    secrets: tuple[str, ...] = ()
    body: bytes
    tag: str = ""
    deadline: float = 0.0


class Item(Struct, frozen=True, kw_only=True):
    """An entry of the in-app inbox."""

    id: str
    tenant: str = "default"
    user: str
    title: str
    body: str = ""
    url: str = ""
    data: dict[str, Any] = {}
    tag: str = ""
    deadline: float = 0.0


Message = Email | Sms | Hook | Item
