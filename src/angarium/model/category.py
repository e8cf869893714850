"""A category: what a person can switch off, and the policy its deliveries follow."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from angarium.model.reasons import Priority

Unknowns = Literal["reconcile", "resend", "park"]
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Category(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times are seconds. `retries[n]` is the wait before try n + 2; `channels` empty means any."""

    name: str = "default"
    priority: Priority = Priority.normal
    expires: float = 3 * DAY
    retries: tuple[float, ...] = (2.0, 30.0, 2 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR)
    on_unknown: Unknowns = "reconcile"
    reconcile: float = 2 * MINUTE
    required: bool = False
    channels: tuple[str, ...] = ()
