"""When to stop calling an account, when to try one call again, and how many calls it bears at once."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from angarium.model.reasons import Reason
from angarium.model.result import Result, Retry, Unknown

#: Failures in a row that open the breaker, and seconds it stays open: the first time, and at most.
FAILURES, FIRST, LONGEST = 5, 1.0, 60.0
#: Seconds that an account whose credentials were refused is left alone.
UNAUTHORIZED = 60.0
#: Answers that speak of the service rather than of one message.
SICK = frozenset(
    {Reason.unavailable, Reason.connect_failed, Reason.tls_failed, Reason.timeout, Reason.server_error, Reason.garbage}
    | {Reason.reset_after_write, Reason.overloaded}
)
#: Answers that say: fewer at a time.
CROWDED = frozenset({Reason.rate_limited, Reason.overloaded, Reason.timeout})


class Breaker(Struct, frozen=True):
    """`failures` in a row; closed to calls until `until` (Unix seconds) for `pause` seconds; one probe at a time."""

    failures: int = 0
    until: float = 0.0
    pause: float = 0.0
    probing: bool = False


def allows(breaker: Breaker, now: float) -> bool:
    """Whether a call may start."""
    return now >= breaker.until and not breaker.probing


def is_open(breaker: Breaker) -> bool:
    """Whether the account is being left alone, or only probed."""
    return breaker.pause > 0.0


def started(breaker: Breaker) -> Breaker:
    """A call starts: on an opened breaker it is the only one until it is answered."""
    return msgspec.structs.replace(breaker, probing=True) if is_open(breaker) else breaker


def after(breaker: Breaker, result: Result, began: float, now: float) -> Breaker:
    """The breaker after the answer to a call that began at `began`.

    One that began before the breaker opened says nothing new: a hundred of them are one illness, and a good answer
    among them is from before it.
    """
    if is_open(breaker) and began < breaker.until:
        return breaker
    match result:
        case Retry(Reason.unauthorized):
            return Breaker(breaker.failures + 1, now + UNAUTHORIZED, UNAUTHORIZED)
        case Retry(Reason.rate_limited, wait) if wait:
            return Breaker(0, max(breaker.until, now + wait), wait)
        case Retry(reason) | Unknown(reason) if reason in SICK:
            failures = breaker.failures + 1
            if failures < FAILURES and not is_open(breaker):
                return Breaker(failures)
            pause = min(max(FIRST, 2 * breaker.pause), LONGEST)
            return Breaker(failures, now + pause, pause)
        case _:
            return Breaker()


def concurrency(limit: float, most: int, result: Result) -> float:
    """The number of calls at once after an answer: one more a round of good answers, half after a crowded one."""
    match result:
        case Retry(reason) | Unknown(reason) if reason in CROWDED:
            return max(1.0, limit / 2)
        case Retry() | Unknown():
            return limit
        case _:
            return min(float(most), limit + 1.0 / limit)
