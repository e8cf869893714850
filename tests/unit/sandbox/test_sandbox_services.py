"""The stand-ins for SendGrid, Twilio and webhook receivers. The services' own libraries are the judges."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook
from sendgrid.helpers.mail import CustomArg, Mail
from twilio.request_validator import RequestValidator

from angarium.sandbox.journal import FILE, Call, calls
from angarium.sandbox.server import Incoming
from angarium.transport.http1 import Http1
from tests.unit.sandbox.world import JSON, NOW, OWN_SECRET, World, letter, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


def person(**changes: Any) -> list[dict[str, Any]]:
    return [{"to": [{"email": "anna@example.com"}]} | changes]


async def test_an_email_is_accepted_as_the_service_does_it_and_is_on_disk_when_the_answer_comes(it: World) -> None:
    answer = await it.mail(letter())

    [call] = calls(it.journal)
    assert (answer.status, answer.body) == (202, b"")
    assert call == Call(
        at=NOW,
        provider="sendgrid",
        account="sendgrid",
        delivery_id="dlv_1",
        to="anna@example.com",
        reference=answer.headers["x-message-id"],
        summary="Hello",
    )


async def test_what_the_services_own_library_writes_is_accepted(it: World) -> None:
    mail = Mail("shop@example.com", "anna@example.com", "Hello", "Hello", "<p>Hello</p>")
    mail.custom_arg = CustomArg("delivery_id", "dlv_7")

    assert (await it.mail(mail.get())).status == 202
    assert [call.delivery_id for call in calls(it.journal)] == ["dlv_7"]


@pytest.mark.parametrize(
    ("mail", "field"),
    [
        (letter(colour="red"), "colour"),
        (letter(personalizations=None), "personalizations"),
        (letter(personalizations=[]), "personalizations"),
        (letter(personalizations=person(to=[])), "personalizations.0.to"),
        (letter(personalizations=person(to=[{"email": "anna"}])), "personalizations.0.to.0.email"),
        (letter(personalizations=person(to=[{"email": "a@b.example,c@d.example"}])), "personalizations.0.to.0.email"),
        (letter(personalizations=person(cc=[{"email": "Anna@example.com"}])), "personalizations.0.to"),
        (letter(personalizations=person(to=[{"email": f"a{n}@b.example"} for n in range(1001)])), "personalizations"),
        (letter(personalizations=person(custom_args={"a": 1})), "personalizations.0.custom_args"),
        (letter(personalizations=person(custom_args={"a": "b" * 10_000})), "custom_args"),
        (letter(personalizations=person(headers={"Reply-To": "x"})), "headers.Reply-To"),
        (letter(headers={"DKIM-Signature": "x"}), "headers.DKIM-Signature"),
        (letter(sender={"email": "shop"}), "from.email"),
        (letter(reply_to={"name": "Anna"}), "reply_to.email"),
        (letter(sender={"email": "a@b.example", "mail": "c@d.example"}), "from.mail"),
        (letter(reply_to={"email": "nobody at all"}), "reply_to.email"),
        (letter(subject=None), "subject"),
        (letter(subject=""), "subject"),
        (letter(content=[]), "content"),
        (letter(content=[{"type": "text/plain", "value": ""}]), "content"),
        (letter(content=list(reversed(letter()["content"]))), "content"),
        (letter(categories=[str(number) for number in range(11)]), "categories"),
        (letter(send_at=int(NOW) + 73 * 3600), "send_at"),
    ],
)
async def test_an_email_that_the_service_would_refuse_is_refused_and_the_field_is_named(
    it: World, mail: dict[str, Any], field: str | None
) -> None:
    answer = await it.mail(mail)

    [error] = json.loads(answer.body)["errors"]
    assert answer.status == 400
    assert set(error) == {"message", "field", "help"}
    assert error["field"] == field
    assert list(calls(it.journal)) == []


async def test_every_mistake_of_an_email_is_told_at_once(it: World) -> None:
    errors = json.loads((await it.mail(letter(content=[], subject=""))).body)["errors"]

    assert [error["field"] for error in errors] == ["subject", "content"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/sendgrid/v3/mail/send", JSON | {"authorization": "Bearer SG.wrong"}, 401),
        ("/sendgrid/v3/mail/send", JSON, 401),
        ("/sendgrid/v3/mail/elsewhere", JSON, 404),
        ("/twilio/2010-04-01/Accounts/AC1/Messages.json", {"authorization": "Basic eDp5"}, 401),
        ("/twilio/2010-04-01/Accounts/AC1/Messages.json", {}, 401),
        ("/hooks/shop", {}, 400),
        ("/hooks/shop", {"webhook-id": "dlv_1"}, 401),
        ("/hooks/gone", {"webhook-id": "dlv_1"}, 410),
        ("/hooks/", {}, 404),
        ("/nowhere", {}, 404),
    ],
)
async def test_a_stranger_or_a_wrong_path_is_refused(
    it: World, path: str, headers: dict[str, str], status: int
) -> None:
    assert (await it.call(path, b"{}", headers)).status == status
    assert list(calls(it.journal)) == []


async def test_events_are_signed_batched_and_carry_our_ids_flat(it: World) -> None:
    references = [(await it.mail(letter(delivery=f"dlv_{n}"))).headers["x-message-id"] for n in range(2)]
    told: list[dict[str, Any]] = []
    while len(told) < 4:
        callback = await it.callback()
        verify_events(it, callback)
        told += json.loads(callback.body)

    assert callback.path == "/v1/callbacks/sendgrid"
    assert sorted((entry["delivery_id"], entry["event"]) for entry in told) == [
        ("dlv_0", "delivered"),
        ("dlv_0", "processed"),
        ("dlv_1", "delivered"),
        ("dlv_1", "processed"),
    ]
    assert {entry["ref"] for entry in told} == {"ntf_1.n.tag"}
    assert {entry["sg_message_id"].partition(".")[0] for entry in told} == set(references)
    assert len({entry["sg_event_id"] for entry in told}) == 4


async def test_emails_that_come_together_are_reported_in_one_request(tmp_path: Path, http: Http1) -> None:
    async with world(tmp_path, http, delay=0.05) as it:
        await asyncio.gather(*(it.mail(letter(delivery=f"dlv_{n}")) for n in range(5)))

        assert len(json.loads((await it.callback()).body)) == 10


def verify_events(it: World, callback: Incoming) -> None:
    verifier = EventWebhook(it.keys.public_key)
    signature = callback.headers["x-twilio-email-event-webhook-signature"]
    timestamp = callback.headers["x-twilio-email-event-webhook-timestamp"]
    assert verifier.verify_signature(callback.body.decode(), signature, timestamp)


@pytest.mark.parametrize(
    ("address", "events"),
    [
        ("bounce@example.com", [("processed", None), ("bounce", "bounce")]),
        ("bounce+anna@example.com", [("processed", None), ("bounce", "bounce")]),
        ("blocked@example.com", [("processed", None), ("bounce", "blocked")]),
        ("drop@example.com", [("dropped", None)]),
        ("defer@example.com", [("processed", None), ("deferred", None), ("delivered", None)]),
        ("spam@example.com", [("processed", None), ("delivered", None), ("spamreport", None)]),
        ("open@example.com", [("processed", None), ("delivered", None), ("open", None)]),
    ],
)
async def test_the_address_scripts_what_becomes_of_an_email(
    it: World, address: str, events: list[tuple[str, str | None]]
) -> None:
    await it.mail(letter(address))

    told = json.loads((await it.callback()).body)
    assert [(entry["event"], entry.get("type")) for entry in told] == events


async def test_a_second_account_is_called_back_under_its_own_name(it: World) -> None:
    assert it.keys.settings("sendgrid", it.url, "eu")["base_url"] == f"{it.url}/sendgrid/eu"
    await it.mail(letter(), account="/eu")

    assert (await it.callback()).path == "/v1/callbacks/eu"
    assert [call.account for call in calls(it.journal)] == ["eu"]


async def test_a_text_message_is_accepted_and_its_signed_statuses_follow(it: World) -> None:
    url = f"{it.public_url}/v1/callbacks/twilio?delivery_id=dlv_1&ref=ntf_1.n.tag"
    answer = await it.text(StatusCallback=url)

    created = json.loads(answer.body)
    callbacks = [await it.callback(), await it.callback()]
    forms = [dict(parse_qsl(callback.body.decode())) for callback in callbacks]
    validator = RequestValidator(it.keys.keys.twilio_auth_token)
    assert (answer.status, created["status"], len(created["sid"])) == (201, "queued", 34)
    assert [call.delivery_id for call in calls(it.journal)] == ["dlv_1"]
    assert sorted(form["MessageStatus"] for form in forms) == ["delivered", "sent"]
    assert {form["MessageSid"] for form in forms} == {created["sid"]}
    for callback, form in zip(callbacks, forms, strict=True):
        assert callback.query == "delivery_id=dlv_1&ref=ntf_1.n.tag"
        assert validator.validate(url, form, callback.headers["x-twilio-signature"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21604),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"To": "02025550101"}, 21211),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550002"}, 21612),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"To": "+15005550009"}, 21614),
        ({"From": "?"}, 21212),
        ({"From": "+15005550007"}, 21606),
        ({"From": "+15005550008"}, 21611),
        ({"StatusCallback": "http://a_b.example.com/"}, 21609),
        ({"StatusCallback": "ftp://example.com/"}, 21609),
    ],
)
async def test_a_text_message_that_the_service_would_refuse_gets_its_code(
    it: World, changes: dict[str, str], code: int
) -> None:
    answer = await it.text(**changes)

    told = json.loads(answer.body)
    assert (answer.status, told["status"], told["code"]) == (400, 400, code)
    assert set(told) == {"code", "message", "more_info", "status"}
    assert list(calls(it.journal)) == []


async def test_an_undelivered_number_is_reported_with_its_error_code(it: World) -> None:
    await it.text(To="+15005553003", StatusCallback=f"{it.public_url}/v1/callbacks/twilio")

    forms = [dict(parse_qsl((await it.callback()).body.decode())) for _ in range(2)]
    assert sorted((form["MessageStatus"], form.get("ErrorCode")) for form in forms) == [
        ("sent", None),
        ("undelivered", "30003"),
    ]


async def test_nothing_is_called_that_is_not_below_the_public_url(it: World) -> None:
    elsewhere = [f"{it.public_url}@example.com/", f"{it.public_url}0/", "http://example.com/"]
    for url in elsewhere:
        assert (await it.text(StatusCallback=url)).status == 201

    assert (await it.get("/_counts"))["twilio"]["unreported"] == 2 * len(elsewhere)
    assert it.receiver.taken.empty()


async def test_a_callback_that_nobody_took_comes_again_with_the_same_content(it: World) -> None:
    it.receiver.statuses = [500, 404]
    await it.mail(letter())

    bodies = {(await it.callback()).body for _ in range(3)}
    assert len(bodies) == 1
    assert await it.outcome() == {"processed": "200, taken", "delivered": "200, taken"}


async def test_a_callback_is_given_up_after_its_last_attempt(it: World) -> None:
    it.receiver.statuses = [500, 500, 500]
    await it.mail(letter())

    assert await it.outcome() == {"processed": "500, given up", "delivered": "500, given up"}
    assert (await it.get("/_counts"))["sendgrid"]["unreported"] == 2


async def test_callbacks_can_be_switched_off(it: World) -> None:
    await it.script(callbacks="off")
    await it.mail(letter("spam@example.com"))
    await it.script(callbacks="on")
    await it.mail(letter("drop@example.com"))

    assert [entry["event"] for entry in json.loads((await it.callback()).body)] == ["dropped"]


async def test_a_signed_webhook_is_taken_and_a_repetition_is_known_by_its_id(it: World) -> None:
    answers = [(await it.hook("shop", id_, b'{"n":1}')).status for id_ in ("dlv_1", "dlv_2", "dlv_1")]

    assert answers == [204, 204, 200]
    assert [(call.delivery_id, call.repeated) for call in calls(it.journal)] == [
        ("dlv_1", False),
        ("dlv_2", False),
        ("dlv_1", True),
    ]
    counts = (await it.get("/_counts"))["webhook"]
    assert (counts["calls"], counts["distinct"], counts["repeated"]) == (3, 2, 1)


async def test_a_receiver_with_a_secret_of_its_own_takes_no_other(it: World) -> None:
    assert (await it.hook("own", "dlv_1", b"{}", OWN_SECRET)).status == 204
    assert (await it.hook("own", "dlv_2", b"{}")).status == 401
    assert (await it.hook("shop", "dlv_3", b"{}", OWN_SECRET)).status == 401


async def test_a_restart_remembers_every_delivery_and_goes_on_in_the_same_journal(tmp_path: Path, http: Http1) -> None:
    async with world(tmp_path, http) as it:
        await it.mail(letter(delivery="dlv_1"))
    with (tmp_path / FILE).open("ab") as torn:
        torn.write(b'{"at":1.0,"provi')
    async with world(tmp_path, http) as it:
        await it.mail(letter(delivery="dlv_1"))
        await it.mail(letter(delivery="dlv_2"))

        counts = (await it.get("/_counts"))["sendgrid"]
    assert (counts["accepted"], counts["distinct"], counts["repeated"]) == (3, 2, 1)
    assert [(call.delivery_id, call.repeated) for call in calls(tmp_path / FILE)] == [
        ("dlv_1", False),
        ("dlv_1", True),
        ("dlv_2", False),
    ]
