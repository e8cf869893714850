"""Webhooks out: what a receiver gets, and what its answers mean."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from angarium.errors import Misconfigured
from angarium.model.message import Hook, Sms
from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown
from angarium.ports.transport import Request, Response
from angarium.providers import webhook
from angarium.signing import verify_webhook, webhook_secret
from angarium.testing.contracts.provider import NOW, NoDatabase, Rig
from angarium.testing.transport import ScriptedTransport

ACCOUNT, OLD, NEW = (webhook_secret(letter * 32) for letter in (b"a", b"o", b"n"))
HOOK = Hook(id="dlv_1", url="https://receiver.example/hooks?a=b", body=b'{"hello":"Ann"}')
RIG = Rig(kind=webhook.Provider, settings={"secret": ACCOUNT}, message=HOOK)


async def request(**changed: Any) -> Request:
    http = ScriptedTransport(Response(status=200))
    await RIG.build(http, NoDatabase()).send(msgspec.structs.replace(HOOK, **changed))
    return http.requests[0]


async def result(status: int, **headers: str) -> Result:
    http = ScriptedTransport(
        Response(status=status, headers={name.replace("_", "-"): headers[name] for name in headers})
    )
    return await RIG.build(http, NoDatabase()).send(HOOK)


async def test_a_receiver_gets_the_body_as_it_is_signed_by_the_standard_and_guarded() -> None:
    sent = await request()
    assert (sent.method, sent.url, sent.body, sent.guarded) == ("POST", HOOK.url, HOOK.body, True)
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["user-agent"].startswith("Angarium/")
    assert sent.headers["webhook-id"] == "dlv_1"
    assert sent.headers["webhook-timestamp"] == str(int(NOW))
    verify_webhook([ACCOUNT], sent.headers, sent.body, NOW)


async def test_an_endpoints_own_secrets_go_before_the_accounts() -> None:
    sent = await request(secrets=(NEW, OLD))
    for secret in (NEW, OLD):
        verify_webhook([secret], sent.headers, sent.body, NOW)
    assert len(sent.headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_2xx_is_taken_whatever_it_says(status: int) -> None:
    assert await result(status) == Sent("dlv_1")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, Retry(Reason.refused)),
        (400, Retry(Reason.refused)),
        (401, Retry(Reason.refused)),
        (403, Retry(Reason.refused)),
        (404, Retry(Reason.refused)),
        (410, Rejected(Reason.unreachable)),
        (413, Rejected(Reason.too_large)),
        (429, Retry(Reason.rate_limited)),
        (500, Unknown(Reason.server_error)),
        (502, Unknown(Reason.server_error)),
        (503, Retry(Reason.unavailable)),
        (600, Unknown(Reason.garbage)),
    ],
)
async def test_answers(status: int, expected: Result) -> None:
    assert await result(status) == expected


@pytest.mark.parametrize(("status", "reason"), [(409, Reason.refused), (429, Reason.rate_limited)])
async def test_a_receiver_may_say_when_to_come_again(status: int, reason: Reason) -> None:
    assert await result(status, retry_after="30") == Retry(reason, 30.0)


@pytest.mark.parametrize(
    "url", ["https://relay.example/v1/events", "https://RELAY.example:443/hooks", "http://relay.example:443/"]
)
async def test_our_own_address_is_never_called(url: str) -> None:
    http = ScriptedTransport()
    provider = RIG.build(http, NoDatabase())
    assert await provider.send(msgspec.structs.replace(HOOK, url=url)) == Rejected(Reason.blocked_address)
    assert http.requests == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"url": "file:///etc/passwd"}, Reason.bad_address),
        ({"url": "https://user@receiver.example"}, Reason.bad_address),
        ({"url": "http://["}, Reason.bad_address),
        ({"secrets": ("whsec_short",)}, Reason.invalid_content),
        ({"id": "dlv.1"}, Reason.invalid_content),
    ],
)
async def test_what_cannot_be_called_or_signed_is_rejected_without_a_call(changed: Any, reason: Reason) -> None:
    http = ScriptedTransport()
    assert await RIG.build(http, NoDatabase()).send(msgspec.structs.replace(HOOK, **changed)) == Rejected(reason)
    assert http.requests == []


async def test_a_message_for_another_channel_is_rejected_without_a_call() -> None:
    http = ScriptedTransport()
    sms = Sms(id="dlv_1", to="+15005550006", text="Hello")
    assert isinstance(await RIG.build(http, NoDatabase()).send(sms), Rejected)
    assert http.requests == []


def test_a_secret_that_cannot_sign_stops_the_start_without_being_shown() -> None:
    with pytest.raises(Misconfigured, match=r"providers\.ours\.secret") as caught:
        RIG.build(ScriptedTransport(), NoDatabase(), secret="whsec_canary")
    assert "canary" not in str(caught.value)
