"""How long a delivery is waited for: pure functions of what is stored, so that no timer has to be believed."""

from __future__ import annotations

import math
from collections.abc import Iterable

from angarium.decide import lifecycle
from angarium.model.delivery import Delivery
from angarium.model.reasons import Status

#: A slot that was not even sent gets this many times `within` before the next one goes.
QUEUED = 2.0
#: Seconds that an open delivery outlives its expiry: a call that began in time has long been answered by then.
GRACE = 300.0
#: A moment has come when it is less than these seconds away: clocks of two machines never agree.
CLOSE = 0.25


def has_come(moment: float, now: float) -> bool:
    """Whether it is time. Both are Unix seconds."""
    return now >= moment - CLOSE


def overdue(row: Delivery, now: float) -> bool:
    """It is open although its time is over, and nothing that will still come can be meant for it."""
    return not lifecycle.terminal(row) and now >= max(row.expires, row.due or 0.0) + GRACE


def ran_out(row: Delivery, now: float) -> bool:
    """It expired, or was sent and not heard of until it was of no more use."""
    return row.status is Status.expired or (lifecycle.reached(row, Status.sent) and has_come(row.expires, now))


def taken(row: Delivery) -> bool:
    """The service has it, or may have it: silence counts from here."""
    return row.status is Status.unknown or lifecycle.reached(row, Status.sent)


def ends(rows: Iterable[Delivery], within: float | None) -> float:
    """Until when the deliveries of a slot of `first_of` are waited for: the last of those that did not fail."""
    return max(_until(row, within) for row in rows if not lifecycle.failed(row))


def _until(row: Delivery, within: float | None) -> float:
    """Without `within` the service's word counts as long as it is of use; an open one ends when it is overdue."""
    if lifecycle.reached(row, Status.sent):
        return row.expires if within is None else min(row.expires, (row.sent or row.created) + within)
    if within is None:
        return math.inf
    if row.status is Status.unknown and row.deadline is not None:
        return row.deadline
    return row.created + QUEUED * within
