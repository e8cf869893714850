"""The sentences themselves: one for every reason and status, and no address in any."""

from __future__ import annotations

from typing import Any

import pytest

from angarium.model.delivery import Delivery
from angarium.model.reasons import Reason, Status
from angarium.model.timeline import Line
from angarium.model.user import Address
from angarium.pipeline import sentences
from angarium.pipeline.sentences import REASONS


def test_every_reason_has_a_sentence_of_its_own() -> None:
    assert set(REASONS) == set(Reason)
    assert len(set(REASONS.values())) == len(Reason)
    assert all(text and not text.endswith(".") and text[0].islower() for text in REASONS.values())


@pytest.mark.parametrize("status", Status)
def test_every_status_of_a_delivery_has_a_sentence_that_names_its_channel(status: Status) -> None:
    row = delivery(status=status, due=1_700_000_100.0)
    sentence = sentences.delivery(row, [], accepted=1_700_000_000.0, now=1_700_000_002.0)

    assert sentence.startswith("email: ")
    assert "None" not in sentence


def delivery(**fields: Any) -> Delivery:
    made: dict[str, Any] = {
        "id": "dlv_1",
        "tenant": "default",
        "notification": "ntf_1",
        "run": "run_1",
        "user": "anna",
        "step": "0",
        "slot": "email",
        "channel": "email",
        "address": Address("email", "anna@example.com"),
        "account": "sendgrid",
        "try_": 1,
        "expires": 1_700_001_000.0,
        "created": 1_700_000_000.0,
    }
    return Delivery(**{**made, **fields})


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (delivery(status=Status.sent, sent=1_700_000_000.4), "sent by sendgrid on try 1, 0.4 s after the event"),
        (delivery(status=Status.skipped, reason=Reason.no_address), "skipped, there is no address for it"),
        (
            delivery(status=Status.failed, reason=Reason.unauthorized, try_=3),
            "failed by sendgrid on try 3: the service does not accept our credentials",
        ),
        (
            delivery(status=Status.failed, reason=Reason.unavailable, try_=0, account=None),
            "failed, no account is configured for this channel",
        ),
        (
            delivery(status=Status.waiting, reason=Reason.overloaded, try_=2, due=1_700_000_030.0),
            "waits for try 2 until 2023-11-14T22:13:50.000Z, the service says that it is overloaded",
        ),
        (delivery(status=Status.sending), "try 1 is under way, 2 s after it was decided"),
        (
            delivery(status=Status.unknown, reason=Reason.timeout, due=1_700_000_120.0),
            "try 1 may have been sent, the service did not answer in time; decided again at 2023-11-14T22:15:20.000Z",
        ),
    ],
)
def test_a_sentence_tells_try_account_time_and_reason(row: Delivery, sentence: str) -> None:
    assert sentences.delivery(row, [], 1_700_000_000.0, 1_700_000_002.0) == f"email: {sentence}"


def test_a_bounce_is_told_with_the_services_own_reason() -> None:
    row = delivery(status=Status.failed, reason=Reason.bounced)
    line = Line(
        notification="ntf_1",
        fact="f",
        tenant="default",
        at=1.0,
        kind="failed",
        delivery="dlv_1",
        reason=Reason.complained,
    )
    assert sentences.delivery(row, [line], 0.0, 2.0) == (
        "email: sent by sendgrid, then failed: the person reported it as unwanted"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0 s"), (0.44, "0.4 s"), (59, "59 s"), (90, "1.5 min"), (7200, "2 h"), (86400, "1 d")]
)
def test_a_span_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert sentences.span(seconds) == text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (Address("email", "anna@example.com"), "a***@example.com"),
        (Address("sms", "+15005550006"), "***06"),
        (Address("webhook", "https://hooks.example.com/secret"), "***"),
        (Address("inbox", "anna"), None),
        (None, None),
    ],
)
def test_an_address_is_masked(address: Address | None, shown: str | None) -> None:
    assert sentences.masked(address) == shown
