"""Twilio: the form it is sent, what its codes mean, and what its status callbacks report."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from twilio.request_validator import RequestValidator

from angarium.model.message import Email, Sms
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown
from angarium.ports.clock import Clock
from angarium.ports.provider import Callback, Forged, Received, Report, Tools
from angarium.ports.transport import Response
from angarium.providers import twilio
from angarium.testing.contracts.provider import NoDatabase, Still
from angarium.testing.transport import ScriptedTransport

SID = "AC" + "0" * 32
PUBLIC = "https://relay.example"
PLACE = PUBLIC + "/v1/callbacks/sms?delivery_id=dlv_1&ref=ntf_1.n.tag"
SMS = Sms(id="dlv_1", to="+15005550006", text="Hello, Ann & Bob: ✓", callback_url=PLACE)


def provider(http: ScriptedTransport | None = None, public_url: str = PUBLIC, **changed: Any) -> twilio.Provider:
    settings = {"account_sid": SID, "auth_token": "token", "sender": "+15005550001", **changed}
    clock: Clock = Still()
    tools = Tools(
        http=http or ScriptedTransport(), database=NoDatabase(), clock=clock, account="sms", public_url=public_url
    )
    return twilio.Provider(msgspec.convert(settings, twilio.Provider.Settings), tools)


async def fields(public_url: str = PUBLIC, **changed: Any) -> dict[str, str]:
    """The form that the service gets."""
    http = ScriptedTransport(Response(status=201, body=b'{"sid":"SM1"}'))
    await provider(http, public_url, **changed).send(SMS)
    return dict(parse_qsl(http.requests[0].body.decode()))


async def callback(url: str = PLACE, **said: str) -> Received:
    form = {"MessageSid": "SM1", "AccountSid": SID, "To": "+15005550006", **said}
    headers = {"x-twilio-signature": RequestValidator("token").compute_signature(url, form)}
    return await provider().callback(Callback(account="sms", url=url, headers=headers, body=urlencode(form).encode()))


async def test_the_request_is_one_form_with_basic_authentication_below_the_prefix() -> None:
    http = ScriptedTransport(Response(status=201, body=b'{"sid":"SM1","status":"queued","error_code":null}'))
    assert await provider(http, base_url="http://127.0.0.1:8090/twilio").send(SMS) == Sent("SM1")
    [request] = http.requests
    assert request.url == f"http://127.0.0.1:8090/twilio/2010-04-01/Accounts/{SID}/Messages.json"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"].startswith("Basic QUMw")
    assert dict(parse_qsl(request.body.decode())) == {
        "To": "+15005550006",
        "From": "+15005550001",
        "Body": "Hello, Ann & Bob: ✓",
        "StatusCallback": PLACE,
    }


async def test_a_messaging_service_takes_the_place_of_a_number() -> None:
    form = await fields(sender="MG" + "a" * 32)
    assert form["MessagingServiceSid"] == "MG" + "a" * 32
    assert "From" not in form


@pytest.mark.parametrize("public", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
async def test_the_real_service_is_not_given_a_callback_url_that_only_this_machine_knows(public: str) -> None:
    assert "StatusCallback" not in await fields(public)
    assert not provider(public_url=public).receipts


async def test_a_service_on_this_machine_may_call_back_on_it() -> None:
    assert (await fields("http://127.0.0.1:8080", base_url="http://127.0.0.1:8090/twilio"))["StatusCallback"] == PLACE
    assert provider(public_url="http://127.0.0.1:8080", base_url="http://127.0.0.1:8090/twilio").receipts


@pytest.mark.parametrize("sid", ["", "AC", "AC/../x" + "0" * 32, "SM" + "0" * 32])
def test_an_account_sid_of_another_form_is_refused(sid: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="account_sid"):
        provider(account_sid=sid)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, Rejected(Reason.bad_address)),
        (400, 21614, Rejected(Reason.bad_address)),
        (400, 21612, Rejected(Reason.unreachable)),
        (400, 21408, Rejected(Reason.unreachable)),
        (400, 21610, Rejected(Reason.opted_out)),
        (400, 21611, Retry(Reason.overloaded)),
        (400, 21617, Rejected(Reason.too_large)),
        (400, 99999, Rejected(Reason.invalid_content)),
        (401, 20003, Retry(Reason.unauthorized)),
        (403, 21610, Rejected(Reason.opted_out)),
        (429, 20429, Retry(Reason.rate_limited)),
        (500, 20500, Unknown(Reason.server_error)),
        (200, 0, Unknown(Reason.garbage)),
    ],
)
async def test_answers(status: int, code: int, expected: Result) -> None:
    body = msgspec.json.encode({"code": code, "message": "", "more_info": "", "status": status})
    assert await provider(ScriptedTransport(Response(status=status, body=body))).send(SMS) == expected


async def test_a_message_for_another_channel_is_rejected_without_a_call() -> None:
    http = ScriptedTransport()
    email = Email(id="dlv_1", to="ann@example.com", subject="Hello", text="Hello")
    assert isinstance(await provider(http).send(email), Rejected)
    assert http.requests == []


@pytest.mark.parametrize(
    ("word", "code", "status", "reason"),
    [
        ("queued", "", Status.sent, Reason.accepted),
        ("sending", "", Status.sent, Reason.accepted),
        ("sent", "", Status.sent, Reason.accepted),
        ("delivered", "", Status.delivered, Reason.delivered),
        ("read", "", Status.read, Reason.read),
        ("undelivered", "30003", Status.failed, Reason.unreachable),
        ("undelivered", "30006", Status.failed, Reason.bad_address),
        ("failed", "30001", Status.failed, Reason.overloaded),
        ("failed", "30007", Status.failed, Reason.invalid_content),
        ("failed", "21610", Status.failed, Reason.opted_out),
        ("failed", "", Status.failed, Reason.provider_error),
    ],
)
async def test_callbacks_report(word: str, code: str, status: Status, reason: Reason) -> None:
    received = await callback(MessageStatus=word, ErrorCode=code)
    report = Report(
        delivery="dlv_1", ref="ntf_1.n.tag", status=status, reason=reason, reference="SM1", dedup=f"SM1/{word}"
    )
    assert received == Received(reports=(report,), status=204)


@pytest.mark.parametrize("word", ["scheduled", "canceled", "received", "", "of a kind to come"])
async def test_a_status_that_says_nothing_to_us_is_answered_and_passed_over(word: str) -> None:
    assert await callback(MessageStatus=word) == Received(status=204)


async def test_a_callback_that_names_no_delivery_is_answered_and_passed_over() -> None:
    assert await callback(PUBLIC + "/v1/callbacks/sms", MessageStatus="sent") == Received(status=204)


@pytest.mark.parametrize("url", [PLACE.replace("dlv_1", "dlv_2"), PLACE.replace("https", "http"), PLACE + "&a=b"])
async def test_a_callback_to_another_url_is_forged(url: str) -> None:
    headers = {"x-twilio-signature": RequestValidator("token").compute_signature(PLACE, {"MessageStatus": "sent"})}
    with pytest.raises(Forged):
        await provider().callback(Callback(account="sms", url=url, headers=headers, body=b"MessageStatus=sent"))
