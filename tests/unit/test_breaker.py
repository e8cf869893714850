"""When an account is left alone, and how many calls it bears."""

from __future__ import annotations

import pytest

from angarium.decide import breaker
from angarium.decide.breaker import FAILURES, LONGEST, UNAUTHORIZED, Breaker
from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown

SICK = Unknown(Reason.timeout)


def after(*results: Result, now: float = 100.0) -> Breaker:
    found = Breaker()
    for result in results:
        found = breaker.after(found, result, max(now, found.until), max(now, found.until))
    return found


def test_a_few_failures_are_no_illness() -> None:
    assert breaker.allows(after(*[SICK] * (FAILURES - 1)), 100.0)


def test_many_failures_in_a_row_open_it() -> None:
    opened = after(*[SICK] * FAILURES)
    assert breaker.is_open(opened)
    assert not breaker.allows(opened, 100.5)
    assert breaker.allows(opened, 101.0)


def test_one_good_answer_between_them_starts_the_count_anew() -> None:
    assert breaker.allows(after(*[SICK] * (FAILURES - 1), Sent(), *[SICK] * (FAILURES - 1)), 100.0)


def test_an_answer_about_one_message_is_a_good_answer() -> None:
    assert not breaker.is_open(after(*[SICK] * FAILURES, Rejected(Reason.bad_address)))


def test_one_probe_at_a_time() -> None:
    probing = breaker.started(after(*[SICK] * FAILURES))
    assert not breaker.allows(probing, 1000.0)


def test_a_failed_probe_waits_twice_as_long_up_to_a_limit() -> None:
    found = after(*[SICK] * FAILURES)
    pauses = []
    for _ in range(8):
        found = breaker.after(breaker.started(found), SICK, found.until, found.until)
        pauses.append(found.pause)
    assert pauses[:3] == [2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST


def test_refused_credentials_pause_the_account_at_once() -> None:
    assert after(Retry(Reason.unauthorized)).until == 100.0 + UNAUTHORIZED


def test_answers_to_calls_from_before_change_nothing() -> None:
    opened = after(*[SICK] * FAILURES)
    for straggler in (SICK, Sent(), Retry(Reason.rate_limited, 3600.0)):
        assert breaker.after(opened, straggler, 99.0, 100.5) == opened


def test_a_service_that_names_its_time_gets_it() -> None:
    assert after(Retry(Reason.rate_limited, 30.0)).until == 130.0


@pytest.mark.parametrize(
    ("result", "limit"),
    [
        (Retry(Reason.rate_limited), 4.0),
        (Unknown(Reason.timeout), 4.0),
        (Retry(Reason.unavailable), 8.0),
        (Sent(), 8.125),
    ],
)
def test_fewer_calls_after_a_crowded_answer_and_slowly_more_again(result: Result, limit: float) -> None:
    assert breaker.concurrency(8.0, 64, result) == limit


def test_there_is_always_one_call_and_never_more_than_configured() -> None:
    assert breaker.concurrency(1.0, 64, Unknown(Reason.timeout)) == 1.0
    assert breaker.concurrency(64.0, 64, Sent()) == 64.0
