"""Twilio: SMS by its Programmable Messaging API, receipts by signed status callbacks.

`201` means queued. The service knows no idempotency key; our ids travel in the query of the `StatusCallback` URL.
Facts: Twilio's Message resource, its error dictionary and its page on request validation.
"""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import parse_qs, urlencode, urlsplit

from msgspec import Meta, Struct

from angarium.model.message import Message, Sms
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected, Result, Sent
from angarium.ports.provider import Callback, Received, Report, Tools
from angarium.ports.transport import Request, Response
from angarium.providers import Account, Place, Secret, allowance, parsed
from angarium.signing import form, verify_twilio
from angarium.transport.answers import classify

#: What `MessageStatus` says of a delivery; other words (`scheduled`, `canceled`, inbound ones) say nothing we act on.
STATUSES = {
    "accepted": Status.sent,
    "queued": Status.sent,
    "sending": Status.sent,
    "sent": Status.sent,
    "delivered": Status.delivered,
    "read": Status.read,
    "undelivered": Status.failed,
    "failed": Status.failed,
}
_REACHED = {Status.sent: Reason.accepted, Status.delivered: Reason.delivered, Status.read: Reason.read}

#: Error codes, of answers (2xxxx) and of callbacks (3xxxx).
REASONS = {
    "20003": Reason.unauthorized,
    "20429": Reason.rate_limited,
    "21211": Reason.bad_address,
    "21408": Reason.unreachable,
    "21602": Reason.invalid_content,
    "21606": Reason.provider_error,
    "21610": Reason.opted_out,
    "21611": Reason.overloaded,
    "21612": Reason.unreachable,
    "21614": Reason.bad_address,
    "21617": Reason.too_large,
    "30001": Reason.overloaded,
    "30003": Reason.unreachable,
    "30004": Reason.unreachable,
    "30005": Reason.bad_address,
    "30006": Reason.bad_address,
    "30007": Reason.invalid_content,
    "30008": Reason.provider_error,
}


class Created(Struct, frozen=True):
    """The part of the answer that we keep: the message's own id."""

    sid: Annotated[str, Meta(min_length=1)]


class Provider:
    """One Twilio account, or one of its subaccounts."""

    channels: tuple[str, ...] = ("sms",)
    idempotent = False

    class Settings(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """`sender` is a number in E.164, a short code, a name, or the SID of a messaging service (`MG...`).

        `auth_token` also signs the status callbacks.
        """

        base_url: Place = "https://api.twilio.com"
        account_sid: Annotated[str, Meta(pattern="^AC[0-9a-fA-F]{32}$")]
        auth_token: Secret
        sender: Annotated[str, Meta(min_length=1)]

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self._url = f"{settings.base_url.rstrip('/')}/2010-04-01/Accounts/{settings.account_sid}/Messages.json"
        credentials = b64encode(f"{settings.account_sid}:{settings.auth_token}".encode()).decode()
        self._headers = {"authorization": f"Basic {credentials}", "content-type": "application/x-www-form-urlencoded"}
        self.receipts = not _local(tools.public_url) or _local(settings.base_url)

    async def send(self, message: Message) -> Result:
        """One SMS to one number; the message's SID is the reference."""
        if not isinstance(message, Sms):
            return Rejected(Reason.invalid_content)
        now = self._tools.clock.now()
        body = urlencode(self._fields(message)).encode()
        timeout = allowance(self._settings, message, now)
        request = Request(url=self._url, headers=self._headers, body=body, timeout=timeout)
        return _result(await self._tools.http.call(request), now)

    def _fields(self, message: Sms) -> dict[str, str]:
        """The service refuses a message whose callback URL it could never reach, so such a URL is left out."""
        service = len(self._settings.sender) == 34 and self._settings.sender.startswith("MG")
        fields = {
            "To": message.to,
            "MessagingServiceSid" if service else "From": self._settings.sender,
            "Body": message.text,
            "StatusCallback": message.callback_url if self.receipts else "",
        }
        return {name: value for name, value in fields.items() if value}

    async def callback(self, callback: Callback) -> Received:
        """One status of one message. The service reads nothing but the code of our answer."""
        signature = callback.headers.get("x-twilio-signature", "")
        verify_twilio(self._settings.auth_token, callback.url, callback.body, signature)
        report = _report(dict(form(callback.body)), parse_qs(urlsplit(callback.url).query))
        return Received(reports=() if report is None else (report,), status=204)


def _result(response: Response, now: float) -> Result:
    """Anything but the documented 201 with its SID leaves it open whether the service took the message."""
    if response.status == 201 and (created := parsed(response.body, Created)):
        return Sent(created.sid)
    return classify(response, REASONS, "code", now=now)


def _report(fields: dict[str, str], query: dict[str, list[str]]) -> Report | None:
    """What a callback says; None when it carries no delivery of ours or a status that we do not act on."""
    word, sid = fields.get("MessageStatus", ""), fields.get("MessageSid", "")
    status = STATUSES.get(word)
    if status is None or "delivery_id" not in query:
        return None
    return Report(
        delivery=query["delivery_id"][0],
        ref=query.get("ref", [""])[0],
        status=status,
        reason=_REACHED.get(status) or REASONS.get(fields.get("ErrorCode", ""), Reason.provider_error),
        reference=sid,
        dedup=f"{sid}/{word}",
    )


def _local(url: str) -> bool:
    """Whether the URL means the machine itself, where no service can call back."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
