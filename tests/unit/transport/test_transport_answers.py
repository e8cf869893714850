"""What an answer means: the table of statuses, a service's own codes, and waits."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Unknown
from angarium.ports.transport import Response
from angarium.transport.answers import LONGEST_WAIT, CallFailed, classify, failure, retry_after

NOW = 1_700_000_000.0
CODES = {
    "21610": Reason.opted_out,
    "20429": Reason.rate_limited,
    "21408": Reason.unreachable,
    "quota": Reason.overloaded,
}


def verdict(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Result:
    return classify(Response(status=status, body=body, headers=headers or {}), CODES, "code", now=NOW)


@pytest.mark.parametrize(
    ("statuses", "result"),
    [
        ([401, 403], Retry(Reason.unauthorized)),
        ([429], Retry(Reason.rate_limited)),
        ([503], Retry(Reason.unavailable)),
        ([408, 500, 501, 502, 504, 520, 599], Unknown(Reason.server_error)),
        ([300, 301, 302, 303, 304, 307, 308], Rejected(Reason.refused)),
        ([400, 404, 405, 409, 410, 413, 422, 451], Rejected(Reason.invalid_content)),
        ([100, 199, 200, 202, 204, 299, 600, 999], Unknown(Reason.garbage)),
    ],
)
def test_the_status_alone_says(statuses: list[int], result: Result) -> None:
    assert [verdict(status) for status in statuses] == [result] * len(statuses)


def test_a_service_that_asks_for_time_is_given_it() -> None:
    wait = {"retry-after": "30"}
    assert verdict(429, headers=wait) == Retry(Reason.rate_limited, 30.0)
    assert verdict(503, headers=wait) == Retry(Reason.unavailable, 30.0)
    assert verdict(400, b'{"code": "quota"}', wait) == Retry(Reason.overloaded, 30.0)


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (400, b'{"code": 21610}', Rejected(Reason.opted_out)),
        (400, b'{"code": "21610"}', Rejected(Reason.opted_out)),
        (400, b'{"code": 20429}', Retry(Reason.rate_limited)),
        (403, b'{"code": 21408}', Rejected(Reason.unreachable)),
        (400, b'{"code": 1}', Rejected(Reason.invalid_content)),
        (500, b'{"code": 21610}', Unknown(Reason.server_error)),
        (200, b'{"code": 21610}', Unknown(Reason.garbage)),
    ],
)
def test_a_code_of_the_service_decides_before_a_4xx_does(status: int, body: bytes, result: Result) -> None:
    assert verdict(status, body) == result


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"code"',
        b"[]",
        b"21610",
        b'{"code": [21610]}',
        b'{"code": null}',
        b'{"code": true}',
        b'{"code": {}}',
        b'{"code": "\xff"}',
        b"[" * 60_000,
        b'{"code": ' + b"1" * 60_000 + b"}",
        b'{"code": 21610.0}',
        b'{"other": 21610}',
    ],
)
def test_a_body_that_holds_no_code_leaves_the_word_to_the_status(body: bytes) -> None:
    assert verdict(400, body) == Rejected(Reason.invalid_content)


def test_without_a_table_nothing_is_read_from_the_body() -> None:
    assert classify(Response(status=400, body=b'{"code": 21610}'), now=NOW) == Rejected(Reason.invalid_content)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("315360000", LONGEST_WAIT),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60.0),
        ("Tue Nov 14 22:14:20 2023", 60.0),
        ("Tue, 14 Nov 2023 22:12:20 GMT", 0.0),
        ("Tue, 14 Nov 2033 22:14:20 GMT", LONGEST_WAIT),
        ("-5", None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("١٢", None),
        ("9" * 10_000, None),
        ("Tue, 99 Nov 2023 99:99:99 GMT", None),
        ("Tue, 14 Nov 99999 22:14:20 GMT", None),
        ("Tue, 14 Nov 2023 22:14:20 +9999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(text: str, wait: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == wait


def test_without_the_header_no_wait_is_asked_for() -> None:
    assert retry_after({}, NOW) is None


@given(
    st.one_of(
        st.text(max_size=60), st.from_regex(r"\w{3}, \d\d? \w{3} \d{1,5} \d\d:\d\d:\d\d [+-]?\w{1,5}", fullmatch=True)
    )
)
def test_no_retry_after_raises_or_leaves_its_bounds(text: str) -> None:
    wait = retry_after({"retry-after": text}, NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT


def test_a_call_that_wrote_nothing_was_not_sent_and_any_other_may_have_been() -> None:
    assert failure(CallFailed(Reason.connect_failed, written=False)) == Retry(Reason.connect_failed)
    assert failure(CallFailed(Reason.blocked_address, written=False)) == Retry(Reason.blocked_address)
    assert failure(CallFailed(Reason.timeout, written=False)) == Retry(Reason.timeout)
    assert failure(CallFailed(Reason.timeout, written=True)) == Unknown(Reason.timeout)
    assert failure(CallFailed(Reason.garbage, written=True)) == Unknown(Reason.garbage)
