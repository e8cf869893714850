"""The end of a delivery does not depend on the order or the repetition of what is told about it."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from angarium.decide.choose import Account, Accounts
from angarium.decide.facts import Policy, apply
from angarium.decide.lifecycle import Move, advance, reached, standing, terminal
from angarium.model.category import Category
from angarium.model.delivery import Delivery
from angarium.model.fact import Deferred, Dropped, Fact, Receipt, RejectedFact, SentFact, UnknownFact
from angarium.model.reasons import Reason, Status

ACCOUNTS = Accounts({"a": Account("a", ("email",), receipts=True)}, {"email": ("a",)})
POLICY = Policy(Category(), ACCOUNTS, 1000.0)
DELIVERY = Delivery(
    id="dlv_1",
    tenant="default",
    notification="ntf_1",
    run="run_1",
    user="anna",
    step="0",
    slot="email",
    channel="email",
    address=None,
    status=Status.sending,
    try_=1,
    expires=1e9,
    created=0.0,
)
RECEIPTS = [Status.sent, Status.delivered, Status.failed, Status.seen, Status.read, Status.acknowledged]


def receipt(status: Status) -> Receipt:
    reason = Reason.bounced if status is Status.failed else None
    return Receipt(
        notification="ntf_1", at=1.0, delivery="dlv_1", account="a", status=status, reason=reason, dedup=status.value
    )


REASONS: dict[str, Reason] = {
    "Deferred": Reason.unavailable,
    "RejectedFact": Reason.bad_address,
    "UnknownFact": Reason.timeout,
}
Answer = SentFact | Deferred | RejectedFact | UnknownFact


def answer(kind: type[Answer], try_: int) -> Answer:
    """One claim a try: its token is the try's own."""
    about: dict[str, Any] = {"notification": "ntf_1", "at": 1.0, "delivery": "dlv_1", "token": try_, "account": "a"}
    if kind is not SentFact:
        about["reason"] = REASONS[kind.__name__]
    return kind(try_=try_, **about)


answers = st.builds(answer, st.sampled_from([SentFact, Deferred, RejectedFact, UnknownFact]), st.integers(1, 4))
drops = st.builds(
    lambda status, reason: Dropped(
        notification="ntf_1", at=1.0, delivery="dlv_1", try_=1, status=status, reason=reason
    ),
    st.sampled_from([Status.cancelled, Status.expired, Status.skipped]),
    st.sampled_from([Reason.cancelled, Reason.expired, Reason.suppressed]),
)
facts = st.lists(st.one_of(answers, drops, st.builds(receipt, st.sampled_from(RECEIPTS))), max_size=12)


def end(told: list[Fact]) -> tuple[Status, int, Reason | None]:
    delivery = DELIVERY
    for fact in told:
        delivery = apply(delivery, fact, POLICY).delivery
    return delivery.status, delivery.try_, delivery.reason


@given(st.lists(st.sampled_from(RECEIPTS), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_callbacks_end_the_same_in_any_order_and_number(statuses: list[Status], dice: random.Random) -> None:
    told: list[Fact] = [receipt(status) for status in statuses]
    shuffled = [*told, *dice.choices(told, k=3)]
    dice.shuffle(shuffled)
    assert end(told)[::2] == end(shuffled)[::2]


again = st.sampled_from([Deferred, UnknownFact])
last = st.sampled_from([SentFact, Deferred, RejectedFact, UnknownFact])


@given(
    st.lists(again, max_size=4),
    last,
    st.lists(st.sampled_from(RECEIPTS), max_size=4),
    st.randoms(use_true_random=False),
)
def test_answers_and_callbacks_together_end_the_same(
    earlier: list[type[Answer]], final: type[Answer], statuses: list[Status], dice: random.Random
) -> None:
    """Only what may be repeated is followed by another try, and each try has one answer."""
    told: list[Fact] = [answer(kind, number) for number, kind in enumerate([*earlier, final], 1)]
    told += [receipt(status) for status in statuses]
    shuffled = [*told, *dice.choices(told, k=3)]
    dice.shuffle(shuffled)
    assert end(told)[::2] == end(shuffled)[::2]


@given(facts)
def test_the_standing_never_falls(told: list[Fact]) -> None:
    delivery = DELIVERY
    for fact in told:
        after = apply(delivery, fact, POLICY).delivery
        before = standing(delivery.status, delivery.try_, delivery.reason)
        assert standing(after.status, after.try_, after.reason) >= before
        delivery = after


def test_a_late_sent_beats_a_cancel_and_a_refusal() -> None:
    for status, reason in ((Status.cancelled, Reason.cancelled), (Status.failed, Reason.bad_address)):
        ended = advance(DELIVERY, Move(status=status, try_=1, reason=reason), 2.0)
        assert advance(ended, Move(status=Status.sent, try_=1), 3.0).status is Status.sent


def test_a_bounce_beats_delivered_and_is_beaten_by_read() -> None:
    assert end([receipt(Status.delivered), receipt(Status.failed)])[0] is Status.failed
    assert end([receipt(Status.failed), receipt(Status.read)])[0] is Status.read


def test_a_zombies_negative_is_ignored() -> None:
    newest = UnknownFact(
        notification="ntf_1", at=1.0, delivery="dlv_1", try_=1, token=9, account="a", reason=Reason.timeout
    )
    stale = RejectedFact(
        notification="ntf_1", at=1.0, delivery="dlv_1", try_=1, token=3, account="a", reason=Reason.bad_address
    )
    assert end([newest, stale])[0] is Status.unknown


def test_parked_is_at_rest_and_reaches_nobody() -> None:
    parked = advance(DELIVERY, Move(status=Status.parked, try_=1, reason=Reason.timeout), 2.0)
    assert terminal(parked)
    assert not reached(parked, Status.sent)
