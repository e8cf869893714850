"""What a claim and a rate mean, as pure functions. Times are whole microseconds, so that no rounding decides."""

from __future__ import annotations

import math

from msgspec import Struct

from angarium.errors import Invalid
from angarium.model.result import Result
from angarium.ports.state import Ask, Behind, Busy, Claim, Done, Go, Grant, Lapsed, Verdict

SECOND = 1_000_000
#: Seconds that a claim is remembered after its last change: longer than any delivery is retried.
KEPT = 7 * 86400
#: `Held.lease` of a claim that was given back. Its try may be claimed again, an earlier one may not.
FREE = -1
#: A bucket forgives this many microseconds: the rounding of two times.
SLACK = 1


class Held(Struct, frozen=True, gc=False):
    """What the store knows of a delivery. `lease`: until when the call may run, microseconds."""

    try_: int
    token: int
    lease: int
    answer: Result | None
    account: str = ""


def micros(seconds: float) -> int:
    """Whole microseconds."""
    return round(seconds * SECOND)


def verdict(claim: Claim, held: Held | None, now: int, token: int) -> Verdict:
    """The table of claims. `token` is what a `Go` gets."""
    if held is None or held.try_ < claim.try_ or (held.try_ == claim.try_ and held.lease == FREE):
        return Go(token)
    if held.try_ > claim.try_:
        return Behind(held.try_, held.answer)
    if held.answer is not None:
        return Done(held.answer, held.token, held.account)
    if 0 < held.lease - now <= micros(claim.lease):
        return Busy(math.ceil((held.lease - now) / 1000))
    return Lapsed(held.token, held.account)


def take(ask: Ask, tat: int, now: int) -> tuple[Grant, int]:
    """What is granted, and the new theoretical arrival time (`tat`, microseconds) of the account's next token.

    The generic cell rate algorithm (ITU-T I.371), with one second of burst, but at least one token. Raises `Invalid`.
    """
    if not ask.rate > 0 or math.isinf(ask.rate):
        raise Invalid("rate", "is not a positive number", "leave it out to set no limit")
    gap = SECOND / ask.rate
    burst = max(SECOND, gap)
    tat = max(tat, now)
    there = math.floor((now + burst - tat + SLACK) / gap)
    granted = max(0, min(ask.count, there))
    tat += round(granted * gap)
    wait = max(0, math.ceil(tat + gap - burst - now - SLACK))
    return Grant(granted, wait / SECOND), tat
