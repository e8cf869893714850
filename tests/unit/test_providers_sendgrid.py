"""SendGrid: the request it is sent, what its answers mean, and what its events report."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sendgrid.helpers import mail

from angarium.errors import Invalid, Misconfigured
from angarium.model.message import Email, Sms
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown
from angarium.ports.provider import Callback, Forged, Received, Report
from angarium.ports.transport import Response
from angarium.providers import sendgrid
from angarium.signing import sign_events
from angarium.testing.contracts.provider import NoDatabase, Rig
from angarium.testing.transport import ScriptedTransport

KEY = ec.derive_private_key(7, ec.SECP256R1())
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
EMAIL = Email(id="dlv_1", to="ann@example.com", subject="Hello", text="Hello, Ann.", tag="ntf_1.n.tag")
RIG = Rig(
    kind=sendgrid.Provider,
    settings={"api_key": "key", "sender": "Shop <shop@example.com>", "webhook_key": PUBLIC},
    message=EMAIL,
)


def provider(http: ScriptedTransport | None = None, **changed: Any) -> sendgrid.Provider:
    built = RIG.build(http or ScriptedTransport(), NoDatabase(), **changed)
    assert isinstance(built, sendgrid.Provider)
    return built


async def result(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Result:
    return await provider(ScriptedTransport(Response(status=status, body=body, headers=headers or {}))).send(EMAIL)


async def callback(body: bytes) -> Received:
    signature = sign_events(KEY, "1700000000", body)
    prefix = "x-twilio-email-event-webhook-"
    headers = {prefix + "timestamp": "1700000000", prefix + "signature": signature}
    return await provider().callback(Callback(account="mail", url="https://relay.example", headers=headers, body=body))


async def reports(*entries: Any) -> list[Report]:
    return list((await callback(msgspec.json.encode(entries))).reports)


def event(name: str, **more: Any) -> dict[str, Any]:
    ids = {
        "delivery_id": "dlv_1",
        "ref": "ntf_1.n.tag",
        "sg_message_id": "LRzXl.recvd-5f-1",
        "timestamp": 1_699_999_999,
    }
    return {**ids, "event": name, "email": "ann@example.com", "sg_event_id": "x", **more}


async def test_the_request_is_one_bearer_call_below_the_configured_prefix() -> None:
    http = ScriptedTransport(Response(status=202, headers={"x-message-id": "LRzXl"}))
    assert await provider(http, base_url="http://127.0.0.1:8090/sendgrid/").send(EMAIL) == Sent("LRzXl")
    [request] = http.requests
    assert (request.method, request.url) == ("POST", "http://127.0.0.1:8090/sendgrid/v3/mail/send")
    assert request.headers == {"authorization": "Bearer key", "content-type": "application/json"}
    assert not request.guarded


def test_the_smallest_request_has_no_empty_part() -> None:
    assert sendgrid.payload(EMAIL, "Shop <shop@example.com>") == {
        "personalizations": [
            {"to": [{"email": "ann@example.com"}], "custom_args": {"delivery_id": "dlv_1", "ref": "ntf_1.n.tag"}}
        ],
        "from": {"email": "shop@example.com", "name": "Shop"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hello, Ann."}],
    }


def test_the_fullest_request_equals_what_the_services_own_library_writes() -> None:
    email = Email(
        id="dlv_1",
        to="ann@example.com",
        to_name="Ann",
        sender="Sales <sales@example.com>",
        reply_to="Help <help@example.com>",
        subject="Hello",
        text="Hello, Ann.",
        html="<p>Hello, Ann.</p>",
        headers={"List-Unsubscribe": "<https://relay.example/u>"},
        tag="ntf_1.n.tag",
    )
    theirs = mail.Mail(mail.From("sales@example.com", "Sales"), subject="Hello")
    person = mail.Personalization()
    person.add_to(mail.To("ann@example.com", "Ann"))
    person.add_custom_arg(mail.CustomArg("delivery_id", "dlv_1"))
    person.add_custom_arg(mail.CustomArg("ref", "ntf_1.n.tag"))
    theirs.add_personalization(person)
    theirs.reply_to = mail.ReplyTo("help@example.com", "Help")
    theirs.add_content("Hello, Ann.", "text/plain")
    theirs.add_content("<p>Hello, Ann.</p>", "text/html")
    theirs.add_header(mail.Header("List-Unsubscribe", "<https://relay.example/u>"))
    assert sendgrid.payload(email, "shop@example.com") == theirs.get()


def test_headers_that_the_service_writes_itself_are_left_out_and_a_thread_is_named() -> None:
    headers = {"X-Ours": "1", "Reply-To": "eve@example.com", "BCC": "eve@example.com", "x-sg-eid": "1"}
    email = msgspec.structs.replace(EMAIL, headers=headers, references=("<a@example.com>", "<b@example.com>"))
    assert sendgrid.payload(email, "shop@example.com")["headers"] == {
        "X-Ours": "1",
        "References": "<a@example.com> <b@example.com>",
        "In-Reply-To": "<b@example.com>",
    }


def errors(field: str) -> bytes:
    return msgspec.json.encode({"errors": [{"message": "is invalid", "field": field, "help": None}]})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, errors("personalizations.0.to.0.email"), Rejected(Reason.bad_address)),
        (400, errors("content.0.value"), Rejected(Reason.invalid_content)),
        (400, b'{"errors":[{"field":null}]}', Rejected(Reason.invalid_content)),
        (401, errors("authorization"), Retry(Reason.unauthorized)),
        (403, errors("from.email"), Retry(Reason.unauthorized)),
        (413, b"", Rejected(Reason.too_large)),
        (429, b"", Retry(Reason.rate_limited)),
        (500, b"", Unknown(Reason.server_error)),
        (503, b"", Retry(Reason.unavailable)),
        (202, b"", Unknown(Reason.garbage)),
        (200, b"{}", Unknown(Reason.garbage)),
    ],
)
async def test_answers(status: int, body: bytes, expected: Result) -> None:
    assert await result(status, body) == expected


async def test_a_message_for_another_channel_is_rejected_without_a_call() -> None:
    http = ScriptedTransport()
    assert isinstance(await provider(http).send(Sms(id="dlv_1", to="+15005550006", text="Hello")), Rejected)
    assert http.requests == []


@pytest.mark.parametrize("sender", ["", "Shop", "Shop <>"])
def test_a_sender_without_an_address_stops_the_start(sender: str) -> None:
    with pytest.raises(Misconfigured, match=r"providers\.ours\.sender"):
        provider(sender=sender)


@pytest.mark.parametrize(
    ("entry", "status", "reason"),
    [
        (event("processed"), Status.sent, Reason.accepted),
        (event("delivered", response="250 OK"), Status.delivered, Reason.delivered),
        (event("bounce", type="bounce", reason="550"), Status.failed, Reason.bounced),
        (event("bounce", type="blocked", reason="421"), Status.failed, Reason.unreachable),
        (event("dropped", reason="Bounced Address"), Status.failed, Reason.bounced),
        (event("dropped", reason="Spam Reporting Address"), Status.failed, Reason.complained),
        (event("dropped", reason="Unsubscribed Address"), Status.failed, Reason.unsubscribed),
        (event("dropped", reason="Invalid"), Status.failed, Reason.bad_address),
        (event("dropped", reason="of another kind"), Status.failed, Reason.provider_error),
        (event("open"), Status.seen, Reason.seen),
        (event("click", url="https://shop.example"), Status.read, Reason.read),
        (event("spamreport"), Status.delivered, Reason.complained),
        (event("unsubscribe"), Status.delivered, Reason.unsubscribed),
        (event("group_unsubscribe", asm_group_id=1), Status.delivered, Reason.unsubscribed),
    ],
)
async def test_events_report(entry: dict[str, Any], status: Status, reason: Reason) -> None:
    assert await reports(entry) == [
        Report(
            delivery="dlv_1",
            ref="ntf_1.n.tag",
            status=status,
            reason=reason,
            reference="LRzXl",
            at_service=1_699_999_999.0,
            dedup=f"LRzXl.recvd-5f-1/{entry['event']}/1699999999",
        )
    ]


@pytest.mark.parametrize(
    "entry",
    [
        event("deferred", attempt="3"),
        event("group_resubscribe"),
        event("open", sg_machine_open=True),
        event("of a kind to come"),
        {key: value for key, value in event("delivered").items() if key != "delivery_id"},
        event("delivered", timestamp="yesterday"),
        event("delivered", delivery_id=7),
        "delivered",
        None,
        [[[]]],
    ],
)
async def test_an_entry_that_says_nothing_to_us_does_not_hide_the_others(entry: Any) -> None:
    found = await reports(event("processed"), entry, event("delivered"))
    assert [report.status for report in found] == [Status.sent, Status.delivered]


async def test_a_repetition_by_the_service_has_the_same_identity_whatever_its_event_id() -> None:
    first, again = await reports(event("open", sg_event_id="a"), event("open", sg_event_id="b"))
    assert first.dedup == again.dedup


@pytest.mark.parametrize("body", [b"{}", b"", b"[", b"[\xff]", b"[" * 100_000])
async def test_a_signed_body_that_is_no_array_is_invalid_not_forged(body: bytes) -> None:
    with pytest.raises(Invalid, match="body"):
        await callback(body)


async def test_without_a_verification_key_every_callback_is_forged_and_no_receipt_is_promised() -> None:
    assert provider().receipts
    keyless = provider(webhook_key="")
    assert not keyless.receipts
    with pytest.raises(Forged, match="webhook_key"):
        await keyless.callback(Callback(account="mail", url="https://relay.example", headers={}, body=b"[]"))
