"""What one fact makes of one delivery."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from angarium.decide import lifecycle, retry
from angarium.decide.choose import Accounts
from angarium.decide.lifecycle import Move
from angarium.model.category import Category
from angarium.model.delivery import Delivery
from angarium.model.fact import Behind, Deferred, Dropped, Due, Fact, Receipt, RejectedFact, SentFact, UnknownFact
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown

#: Seconds after which a hand-over nobody answered is published again; the claim makes that harmless.
SWEEP = 900.0
#: Reports and refusals after which an address must not be used again.
SUPPRESSING = frozenset({Reason.bounced, Reason.complained, Reason.opted_out, Reason.bad_address, Reason.unsubscribed})


class Policy(Struct, frozen=True):
    """What surrounds a delivery: its category, the accounts, and the time (Unix seconds)."""

    category: Category
    accounts: Accounts
    now: float


class Change(Struct, frozen=True):
    """The delivery afterwards, timers as (hop, due), and whether a try is to be handed over now.

    `suppress` is why its address must not be used again.
    """

    delivery: Delivery
    timers: tuple[tuple[str, float], ...] = ()
    handover: bool = False
    suppress: Reason | None = None


def apply(delivery: Delivery, fact: Fact, policy: Policy) -> Change:
    """The change `fact` makes; facts about other things change nothing."""
    match fact:
        case SentFact():
            return _answer(delivery, fact.try_, fact.token, fact.account, Sent(fact.reference), policy)
        case Deferred(reason=Reason.busy):
            return _busy(delivery, fact, policy)
        case Deferred() | RejectedFact() | UnknownFact():
            return _negative(delivery, fact, policy)
        case Dropped():
            return Change(_moved(delivery, Move(status=fact.status, try_=fact.try_, reason=fact.reason), policy))
        case Behind():
            return _behind(delivery, fact, policy)
        case Receipt():
            return _receipt(delivery, fact, policy)
        case Due():
            return _due(delivery, fact.hop, policy)
        case _:
            return Change(delivery)


def hand_over(delivery: Delivery, try_: int, now: float) -> Delivery:
    """The delivery as try `try_` goes to a Sender."""
    moved = lifecycle.advance(delivery, Move(status=Status.sending, try_=try_), now)
    return msgspec.structs.replace(moved, deadline=now + SWEEP)


def _moved(delivery: Delivery, move: Move, policy: Policy) -> Delivery:
    return lifecycle.advance(delivery, move, policy.now)


def _negative(delivery: Delivery, fact: Deferred | RejectedFact | UnknownFact, policy: Policy) -> Change:
    if fact.token < delivery.token and fact.try_ <= delivery.try_:
        return Change(delivery)  # a zombie speaks of a call that a newer claim has replaced
    match fact:
        case Deferred():
            result: Result = Retry(fact.reason, fact.after)
        case RejectedFact():
            result = Rejected(fact.reason)
        case UnknownFact():
            result = Unknown(fact.reason)
    return _answer(delivery, fact.try_, fact.token, fact.account, result, policy)


def _answer(delivery: Delivery, try_: int, token: int, account: str, result: Result, policy: Policy) -> Change:
    suppress = result.reason if isinstance(result, Rejected) and result.reason in SUPPRESSING else None
    reconcile = policy.accounts.reconcile(account or delivery.account, policy.category.reconcile)
    dice = _dice(delivery.id, try_)
    match retry.after(result, try_, policy.category, delivery.expires, reconcile, policy.now, dice):
        case retry.Done(status, reason, reference):
            who = account or None
            move = Move(status=status, try_=try_, reason=reason, token=token, account=who, reference=reference or None)
            return Change(_moved(delivery, move, policy), suppress=suppress)
        case retry.Later(due, reason, status):
            next_try = try_ + 1 if status is Status.waiting else try_
            move = Move(status=status, try_=next_try, reason=reason, token=token, account=account or None, due=due)
            moved = _moved(delivery, move, policy)
            if moved is delivery:
                return Change(delivery)
            hop = "retry" if status is Status.waiting else _unknown_hop(policy.category)
            return Change(moved, ((f"{hop}:{next_try}", due),))


def _unknown_hop(category: Category) -> str:
    return "reconcile" if category.on_unknown == "reconcile" else "resend"


def _busy(delivery: Delivery, fact: Deferred, policy: Policy) -> Change:
    if delivery.status is not Status.sending or delivery.try_ != fact.try_:
        return Change(delivery)
    return Change(delivery, ((f"busy:{fact.try_}", policy.now + (fact.after or 1.0)),))


def _behind(delivery: Delivery, fact: Behind, policy: Policy) -> Change:
    if fact.answer is None:
        return Change(_moved(delivery, Move(status=Status.sending, try_=fact.try_), policy))
    return _answer(delivery, fact.try_, delivery.token, delivery.account or "", fact.answer, policy)


def _receipt(delivery: Delivery, fact: Receipt, policy: Policy) -> Change:
    reason = Reason.bounced if fact.status is Status.failed else Reason.accepted
    if fact.status in (Status.delivered, Status.seen, Status.read, Status.acknowledged):
        reason = Reason(fact.status.value)
    move = Move(
        status=fact.status,
        try_=delivery.try_,
        reason=reason,
        account=fact.account,
        reference=fact.reference or None,
    )
    suppress = fact.reason if fact.reason in SUPPRESSING else None
    return Change(_moved(delivery, move, policy), suppress=suppress)


def _due(delivery: Delivery, hop: str, policy: Policy) -> Change:
    kind, _, number = hop.partition(":")
    if not number.isdigit():
        return Change(delivery)
    waited = {"retry": Status.waiting, "busy": Status.sending}.get(kind, Status.unknown)
    if delivery.status is not waited or delivery.try_ != int(number):
        return Change(delivery)
    if policy.now >= delivery.expires and kind != "busy":
        return Change(_moved(delivery, Move(status=Status.expired, try_=delivery.try_, reason=Reason.expired), policy))
    try_ = int(number) + (1 if waited is Status.unknown else 0)
    return Change(hand_over(delivery, try_, policy.now), handover=True)


def _dice(delivery: str, try_: int) -> float:
    """In [-1, 1], the same for every worker that looks at the same try."""
    number = hashlib.blake2b(f"{delivery}/{try_}".encode(), digest_size=4).digest()
    return int.from_bytes(number, "big") / 0x7FFFFFFF - 1
