"""What follows an answer: a pure function of the answer, the try and the category's policy."""

from __future__ import annotations

from msgspec import Struct

from angarium.model.category import Category
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown

#: Seconds. A service that asks for more is not believed.
LONGEST_WAIT = 6 * 3600.0
#: Trouble of the account, not of the message: whoever mends it finds everything still waiting.
ACCOUNT = frozenset({Reason.unauthorized, Reason.account_paused})
#: Seconds between tries that wait for an account where the retry list is empty.
PAUSE = 60.0
#: Up to a fifth more or less, so that a thousand failures do not come back in one moment.
JITTER = 0.2


class Done(Struct, frozen=True):
    """The delivery stands as `status` and waits for nothing of ours."""

    status: Status
    reason: Reason
    reference: str = ""


class Later(Struct, frozen=True):
    """It stands as `status` (waiting or unknown) until `due` (Unix seconds); then the next try is made."""

    due: float
    reason: Reason
    status: Status = Status.waiting


def after(
    result: Result, try_: int, category: Category, expires: float, reconcile: float, now: float, dice: float
) -> Done | Later:
    """What follows the answer to try `try_` (from 1). `dice` is in [-1, 1]; `reconcile` is in seconds.

    `reconcile` is how long an unknown outcome waits for a callback: 0 where a repeat has no second effect. It never
    comes back sooner than the retry list says, so a service that answers 500 is not called in a tight circle. Trouble
    of the account alone never exhausts the list: its last step repeats until the delivery expires.
    """
    match result:
        case Sent(reference):
            return Done(Status.sent, Reason.accepted, reference)
        case Rejected(reason):
            return Done(Status.failed, reason)
        case Unknown(reason) if category.on_unknown == "park" or try_ > len(category.retries):
            return Done(Status.parked, reason)
        case Unknown(reason):
            wait = reconcile if category.on_unknown == "reconcile" else 0.0
            return Later(now + max(wait, _step(category, try_, dice)), reason, Status.unknown)
        case Retry(reason) if try_ > len(category.retries) and reason not in ACCOUNT:
            return Done(Status.failed, Reason.exhausted)
        case Retry(reason, wait):
            due = now + max(_step(category, try_, dice), min(wait or 0.0, LONGEST_WAIT))
            return Later(due, reason) if due < expires else Done(Status.expired, Reason.expired)


def _step(category: Category, try_: int, dice: float) -> float:
    steps = category.retries or (PAUSE,)
    return steps[min(try_, len(steps)) - 1] * (1 + JITTER * dice)
