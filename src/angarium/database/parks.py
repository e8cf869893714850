"""Claims of deliveries that must not be called twice without a person's word: the database keeps them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from angarium.database import rows, tables


def claim(connection: Connection, claims: Sequence[tuple[str, int, float]], token: int) -> set[str]:
    """Which of (delivery, try, lease end) are ours to call now; a try is given out once, ever."""
    values = [(delivery, try_, token, lease) for delivery, try_, lease in claims]
    rows.store(connection, tables.park_claims, ("delivery", "try", "token", "lease"), values)
    columns = ("delivery", "try", "token")
    found = rows.fetch(connection, tables.park_claims, columns, "delivery", [delivery for delivery, _, _ in claims])
    tries = {(delivery, try_) for delivery, try_, _ in claims}
    return {row[0] for row in found if (row[0], row[1]) in tries and row[2] == token}
