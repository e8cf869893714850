"""Where a delivery stands, and what may follow: a maximum, so that order and repetition cannot matter.

    planned ─► waiting ─► sending ─► sent ─► delivered ─► seen ─► read ─► acknowledged
                  ▲          ├─ definite temporary: waiting for the next try
                  └──────────┤
                             ├─ definite permanent: failed
                             └─ unknown ─► sent | waiting | parked
    skipped | cancelled | expired are ends too; failed(bounced) may follow sent or delivered

A standing is (class, try, rank): 0 open, 1 ended badly, 2 sent. Open standings compare by try first. `waiting` and
`sending` name the try that is to be made or is being made. A failure told by a receipt is always `bounced` in the
ledger (the timeline keeps the service's own reason): that is what tells it from a refusal, which a later `sent` beats.
"""

from __future__ import annotations

import msgspec

from angarium.model.delivery import Delivery
from angarium.model.reasons import Reason, Status

Standing = tuple[int, int, int]

OPEN = {Status.planned: 0, Status.waiting: 1, Status.sending: 2, Status.unknown: 3, Status.parked: 4}
ENDED = {Status.cancelled: 0, Status.expired: 1, Status.skipped: 2, Status.failed: 3}
SENT = {Status.sent: 0, Status.delivered: 1, Status.seen: 3, Status.read: 4, Status.acknowledged: 5}
_BOUNCED = (2, 0, 2)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What a fact would make of a delivery. None leaves a field as it is."""

    status: Status
    try_: int
    reason: Reason | None = None
    token: int | None = None
    account: str | None = None
    reference: str | None = None
    due: float | None = None


def standing(status: Status, try_: int, reason: Reason | None) -> Standing:
    """The place of a status in the order."""
    if status in OPEN:
        return (0, try_, OPEN[status])
    if status in SENT:
        return (2, 0, SENT[status])
    if reason is Reason.bounced:
        return _BOUNCED
    return (1, 0, ENDED[status])


def stands(delivery: Delivery) -> Standing:
    """The place of a delivery."""
    return standing(delivery.status, delivery.try_, delivery.reason)


def advance(delivery: Delivery, move: Move, at: float) -> Delivery:
    """The delivery after `move`, or the same object when it changes nothing. `at` is Unix seconds."""
    new, old = standing(move.status, move.try_, move.reason), stands(delivery)
    if (*new, move.reason or "") <= (*old, delivery.reason or ""):
        return delivery
    closed = new[0] > 0
    return msgspec.structs.replace(
        delivery,
        status=move.status,
        reason=move.reason,
        try_=max(move.try_, delivery.try_),
        token=max(move.token or 0, delivery.token),
        account=move.account or delivery.account,
        reference=move.reference or delivery.reference,
        due=move.due,
        sent=delivery.sent or (at if new[0] == 2 else None),
        ended=delivery.ended or (at if closed else None),
        version=delivery.version + 1,
    )


def terminal(delivery: Delivery) -> bool:
    """Nothing will happen by itself any more. `parked` waits for a person."""
    return stands(delivery)[0] > 0 or delivery.status is Status.parked


def failed(delivery: Delivery) -> bool:
    """It ended without reaching anybody, so the next slot of a `first_of` may go."""
    return stands(delivery)[0] == 1 or stands(delivery) == _BOUNCED


def reached(delivery: Delivery, until: Status) -> bool:
    """The service or the person said at least `until`. A bounce reaches nobody."""
    return delivery.status in SENT and SENT[delivery.status] >= SENT[until]
