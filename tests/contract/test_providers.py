"""The conformance suite over every adapter of a delivery service."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import ClassVar
from urllib.parse import urlencode

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from angarium.database.engine import Database
from angarium.model.message import Email, Hook, Item, Sms
from angarium.model.reasons import Priority
from angarium.plugins import names
from angarium.ports.provider import Callback, Provider
from angarium.ports.transport import Response
from angarium.providers import console, inbox, sendgrid, twilio, webhook
from angarium.signing import reference, sign_events, sign_twilio, webhook_secret
from angarium.testing.contracts.provider import HttpContract, ProviderContract, ReceiverContract, Rig

DELIVERY = "dlv_0123456789"
TAG = reference(b"callback secret", DELIVERY, "ntf_0123456789", Priority.normal, "ours")
TOKEN = "canary-auth-token"


def public(key: ec.EllipticCurvePrivateKey) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def sendgrid_callback(key: ec.EllipticCurvePrivateKey) -> Callback:
    ids = {"delivery_id": DELIVERY, "ref": TAG, "sg_message_id": "LRzXl.recvd-1", "email": "ann@example.com"}
    events = [{**ids, "event": event, "timestamp": 1_699_999_999} for event in ("processed", "delivered", "open")]
    body = msgspec.json.encode(events)
    headers = {
        "x-twilio-email-event-webhook-signature": sign_events(key, "1700000000", body),
        "x-twilio-email-event-webhook-timestamp": "1700000000",
    }
    return Callback(account="ours", url="https://relay.example/v1/callbacks/ours", headers=headers, body=body)


def twilio_callback(status: str, **more: str) -> Callback:
    url = "https://relay.example/v1/callbacks/ours?" + urlencode({"delivery_id": DELIVERY, "ref": TAG})
    fields = {"MessageSid": "SM" + "0" * 32, "MessageStatus": status, "To": "+15005550006", **more}
    headers = {"x-twilio-signature": sign_twilio(TOKEN, url, fields.items())}
    return Callback(account="ours", url=url, headers=headers, body=urlencode(fields).encode())


KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


class TestSendgrid(HttpContract, ReceiverContract):
    rig: ClassVar[Rig] = Rig(
        kind=sendgrid.Provider,
        settings={"api_key": "canary-api-key", "sender": "Shop <shop@example.com>", "webhook_key": public(KEY)},
        secrets=("api_key",),
        message=Email(id=DELIVERY, to="ann@example.com", subject="Hello", text="Hello, Ann.", tag=TAG),
        taken=Response(status=202, headers={"x-message-id": "LRzXl"}),
        garbage=(Response(status=202), Response(status=200, body=b"<html>"), Response(status=204)),
        callbacks=(sendgrid_callback(KEY),),
        stranger={"webhook_key": public(OTHER_KEY)},
    )


class TestTwilio(HttpContract, ReceiverContract):
    rig: ClassVar[Rig] = Rig(
        kind=twilio.Provider,
        settings={"account_sid": "AC" + "0" * 32, "auth_token": TOKEN, "sender": "+15005550001"},
        secrets=("auth_token",),
        message=Sms(
            id=DELIVERY,
            to="+15005550006",
            text="Hello, Ann.",
            callback_url=f"https://relay.example/v1/callbacks/ours?delivery_id={DELIVERY}&ref={TAG}",
            tag=TAG,
        ),
        taken=Response(status=201, body=b'{"sid":"SM0123"}'),
        garbage=(
            Response(status=201),
            Response(status=201, body=b'{"sid":""}'),
            Response(status=201, body=b'{"sid":"\xff"}'),
            Response(status=200, body=b'{"sid":"SM0123"}'),
        ),
        callbacks=(twilio_callback("delivered"), twilio_callback("undelivered", ErrorCode="30003")),
        stranger={"auth_token": "another token"},
    )


class TestWebhook(HttpContract):
    rig: ClassVar[Rig] = Rig(
        kind=webhook.Provider,
        settings={"secret": webhook_secret(b"canary" * 5)},
        secrets=("secret",),
        message=Hook(id=DELIVERY, url="https://receiver.example/hooks", body=b'{"hello":"Ann"}', tag=TAG),
        taken=Response(status=204),
    )


class TestInbox(ProviderContract):
    rig: ClassVar[Rig] = Rig(
        kind=inbox.Provider, settings={}, message=Item(id=DELIVERY, user="ann", title="Hello", tag=TAG)
    )

    @pytest.fixture
    async def database(self) -> AsyncIterator[Database]:
        async with Database("sqlite://", inline=True) as database:
            yield database


class TestConsole(ProviderContract):
    rig: ClassVar[Rig] = Rig(
        kind=console.Provider, settings={}, message=Sms(id=DELIVERY, to="+15005550006", text="Hello, Ann.", tag=TAG)
    )


#: The type checker compares each with the port.
ADAPTERS: tuple[type[Provider], ...] = (
    sendgrid.Provider,
    twilio.Provider,
    webhook.Provider,
    inbox.Provider,
    console.Provider,
)
SUITES = (TestSendgrid, TestTwilio, TestWebhook, TestInbox, TestConsole)


def test_no_adapter_of_ours_escapes_the_suite() -> None:
    assert tuple(suite.rig.kind for suite in SUITES) == ADAPTERS
    assert {adapter.__module__ for adapter in ADAPTERS} == {f"angarium.providers.{name}" for name in names("providers")}
