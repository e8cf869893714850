"""May this go to this person now? The first rule that speaks decides: required, suppressed, user, tenant, category."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from angarium.model.category import Category
from angarium.model.reasons import Reason
from angarium.model.user import Address

#: A preference row's `user` for the whole tenant, and its `category` or `channel` for any.
ANY = "*"


class Permissions(Struct, frozen=True):
    """`preferences` by (user, category, channel), `suppressed` by `place`."""

    preferences: Mapping[tuple[str, str, str], bool] = {}
    suppressed: frozenset[tuple[str, str]] = frozenset()


def place(channel: str, address: str) -> tuple[str, str]:
    """The key of a suppression. RFC 5321 lets a mailbox's case count, but no service lets it tell two apart."""
    return (channel, address.casefold() if channel == "email" else address)


def refusal(category: Category, address: Address, user: str, permissions: Permissions) -> Reason | None:
    """Why not, or None."""
    if category.required:
        return None
    if place(address.channel, address.value) in permissions.suppressed:
        return Reason.suppressed
    for who in (user, ANY):
        allowed = _preference(permissions.preferences, who, category.name, address.channel)
        if allowed is not None:
            return None if allowed else Reason.unsubscribed
    if category.channels and address.channel not in category.channels:
        return Reason.unsubscribed
    return None


def _preference(rows: Mapping[tuple[str, str, str], bool], user: str, category: str, channel: str) -> bool | None:
    """The most particular row: this category before any, this channel before any."""
    for key in ((user, category, channel), (user, category, ANY), (user, ANY, channel), (user, ANY, ANY)):
        if key in rows:
            return rows[key]
    return None
