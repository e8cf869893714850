"""Claims of deliveries that must not be called twice without a person's word: the database keeps them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.ports.state import Busy, Claim, Go, Lapsed, Verdict

_CLAIM = """
INSERT INTO park_claims (delivery, try, account, token, lease)
SELECT json_extract(value, '$.delivery'), json_extract(value, '$.try_'), json_extract(value, '$.account'),
       ?, ? + json_extract(value, '$.lease') FROM json_each(?) WHERE true
ON CONFLICT DO NOTHING RETURNING delivery
"""
_RELEASE = "DELETE FROM park_claims WHERE delivery = ? AND token = ?"


def claim(connection: Connection, claims: Sequence[Claim], now: float) -> dict[str, Verdict]:
    """By delivery: a try is given out once. Whoever comes later is told to wait for the lease, then that it lapsed."""
    token = int(now * 1_000_000)
    wanted = msgspec.json.encode(claims).decode()
    ours = {row[0] for row in connection.exec_driver_sql(_CLAIM, (token, now, wanted))}
    verdicts: dict[str, Verdict] = {delivery: Go(token) for delivery in ours}
    tries = {claim.delivery: claim.try_ for claim in claims if claim.delivery not in ours}
    columns = ("delivery", "try", "token", "account", "lease")
    for delivery, try_, held, account, lease in rows.fetch(connection, tables.park_claims, columns, "delivery", tries):
        if tries[delivery] == try_:
            left = math.ceil(1000 * (lease - now))
            verdicts[delivery] = Busy(left) if left > 0 else Lapsed(held, account)
    return verdicts


def release(connection: Connection, delivery: str, token: int) -> None:
    """The claim was not used: forget it."""
    connection.exec_driver_sql(_RELEASE, (delivery, token))
