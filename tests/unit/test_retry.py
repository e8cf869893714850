"""What follows an answer: the retry list, whom it counts for, and what waits for somebody to mend an account."""

from __future__ import annotations

import pytest

from angarium.decide.retry import JITTER, LONGEST_WAIT, PAUSE, Done, Later, after
from angarium.model.category import Category, Unknowns
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown
from angarium.testing import Harness

NOW, EXPIRES = 1000.0, 1_000_000.0
RETRIES = (10.0, 20.0)
DOWN = Retry(Reason.unavailable)
PAUSED = [Reason.unauthorized, Reason.account_paused]


def follows(
    result: Result,
    try_: int = 1,
    *,
    retries: tuple[float, ...] = RETRIES,
    on_unknown: Unknowns = "reconcile",
    expires: float = EXPIRES,
    reconcile: float = 120.0,
    dice: float = 0.0,
) -> Done | Later:
    category = Category(retries=retries, on_unknown=on_unknown)
    return after(result, try_, category, expires, reconcile, NOW, dice)


def test_a_sent_waits_for_nothing_and_keeps_its_reference() -> None:
    assert follows(Sent("SM1")) == Done(Status.sent, Reason.accepted, "SM1")


def test_a_refusal_is_the_end_with_the_services_reason() -> None:
    assert follows(Rejected(Reason.opted_out)) == Done(Status.failed, Reason.opted_out)


def test_each_failure_takes_the_next_step_of_the_list_and_then_it_is_exhausted() -> None:
    found = [follows(DOWN, try_) for try_ in (1, 2, 3)]
    assert found == [
        Later(NOW + 10.0, Reason.unavailable),
        Later(NOW + 20.0, Reason.unavailable),
        Done(Status.failed, Reason.exhausted),
    ]


@pytest.mark.parametrize("dice", [-1.0, 1.0])
def test_the_dice_move_a_step_by_a_fifth(dice: float) -> None:
    assert follows(DOWN, dice=dice) == Later(NOW + 10.0 * (1 + JITTER * dice), Reason.unavailable)


@pytest.mark.parametrize(("asked", "waited"), [(5.0, 10.0), (60.0, 60.0), (1e9, LONGEST_WAIT)])
def test_a_service_may_ask_for_longer_within_reason(asked: float, waited: float) -> None:
    assert follows(Retry(Reason.rate_limited, asked)) == Later(NOW + waited, Reason.rate_limited)


def test_a_try_that_would_come_too_late_expires_now() -> None:
    assert follows(DOWN, expires=NOW + 10.0) == Done(Status.expired, Reason.expired)


@pytest.mark.parametrize("reason", PAUSED)
def test_trouble_of_the_account_never_exhausts_the_list(reason: Reason) -> None:
    found = [follows(Retry(reason), try_) for try_ in (1, 2, 3, 50)]
    assert found == [Later(NOW + wait, reason) for wait in (10.0, 20.0, 20.0, 20.0)]


@pytest.mark.parametrize("reason", PAUSED)
def test_trouble_of_the_account_ends_when_the_delivery_expires(reason: Reason) -> None:
    assert follows(Retry(reason), 50, expires=NOW + 20.0) == Done(Status.expired, Reason.expired)


def test_trouble_of_the_account_waits_even_where_nothing_else_is_tried_again() -> None:
    assert follows(Retry(Reason.unauthorized), retries=()) == Later(NOW + PAUSE, Reason.unauthorized)
    assert follows(DOWN, retries=()) == Done(Status.failed, Reason.exhausted)


def test_an_unknown_outcome_waits_for_a_report_and_never_less_than_the_list_says() -> None:
    assert follows(Unknown(Reason.timeout)) == Later(NOW + 120.0, Reason.timeout, Status.unknown)
    assert follows(Unknown(Reason.timeout), reconcile=0.0) == Later(NOW + 10.0, Reason.timeout, Status.unknown)
    assert follows(Unknown(Reason.timeout), on_unknown="resend") == Later(NOW + 10.0, Reason.timeout, Status.unknown)


@pytest.mark.parametrize(("on_unknown", "try_"), [("park", 1), ("reconcile", 3), ("resend", 3)])
def test_an_unknown_outcome_is_parked_where_nothing_may_or_can_be_tried(on_unknown: Unknowns, try_: int) -> None:
    assert follows(Unknown(Reason.timeout), try_, on_unknown=on_unknown) == Done(Status.parked, Reason.timeout)


async def test_whoever_mends_the_credentials_finds_everything_still_waiting() -> None:
    project = {"workflows/note.toml": b'on = "note"\nsteps = [{ send = "sms" }]\nsms = { text = "note" }\n'}
    async with Harness(project) as harness:
        harness.answer("sms", *[Retry(Reason.unauthorized)] * 7)
        await harness.publish("note", id="1", source="/s", to={"id": "anna", "phone": "+15005550006"})
        await harness.advance("9h")
        [waiting] = await harness.deliveries()
        assert (waiting.status, waiting.reason) == (Status.waiting, Reason.unauthorized)
        await harness.advance("9h")
        assert [d.status for d in await harness.deliveries()] == [Status.sent]
