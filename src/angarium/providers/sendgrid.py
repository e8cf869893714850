"""SendGrid: e-mail by its Web API v3, receipts by its signed event webhook.

`202` means queued, so "delivered" comes by callback only. The service knows no idempotency key: an answer that was lost
is unknown until an event names the delivery. Our ids travel as `custom_args` and come back beside each event.
Facts: SendGrid's OpenAPI document of `POST /v3/mail/send` and its event webhook reference.
"""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

import msgspec
from msgspec import Raw, Struct

from angarium.errors import Invalid, Misconfigured
from angarium.model.message import Email, Message
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected, Result, Sent
from angarium.ports.provider import Callback, Forged, Received, Report, Tools
from angarium.ports.transport import Request, Response
from angarium.providers import Account, Place, Secret, allowance, parsed
from angarium.signing import events_key, verify_events
from angarium.transport.answers import classify

_HEADER = "x-twilio-email-event-webhook-"

#: Headers that the service writes itself; one of them in a request refuses the whole message.
RESERVED = frozenset(
    {"to", "from", "subject", "reply-to", "cc", "bcc", "content-type", "content-transfer-encoding", "received"}
    | {"dkim-signature", "x-sg-id", "x-sg-eid"}
)
#: What an event says of a delivery. `deferred` is absent: the service goes on trying by itself.
EVENTS = {
    "processed": (Status.sent, Reason.accepted),
    "delivered": (Status.delivered, Reason.delivered),
    "bounce": (Status.failed, Reason.bounced),
    "dropped": (Status.failed, Reason.provider_error),
    "open": (Status.seen, Reason.seen),
    "click": (Status.read, Reason.read),
    "spamreport": (Status.delivered, Reason.complained),
    "unsubscribe": (Status.delivered, Reason.unsubscribed),
    "group_unsubscribe": (Status.delivered, Reason.unsubscribed),
}
#: Why the service dropped a message unsent, by its own words in lower case.
DROPPED = {
    "bounced address": Reason.bounced,
    "spam reporting address": Reason.complained,
    "unsubscribed address": Reason.unsubscribed,
    "invalid": Reason.bad_address,
    "invalid smtpapi header": Reason.invalid_content,
    "spam content (if spam checker app enabled)": Reason.invalid_content,
    "recipient list over package quota": Reason.overloaded,
}


class Entry(Struct, frozen=True):
    """One event of the array. Custom args arrive flattened into it; `sg_machine_open` says that no person opened it."""

    event: str
    timestamp: int
    sg_message_id: str = ""
    delivery_id: str = ""
    ref: str = ""
    type: str = ""
    reason: str = ""
    sg_machine_open: bool = False


class Trouble(Struct, frozen=True):
    """One of the `errors` in the answer to a bad request. `field` is a dotted path into the request."""

    field: str | None = None


class Troubles(Struct, frozen=True):
    """The body of an answer to a bad request."""

    errors: tuple[Trouble, ...] = ()


class Provider:
    """One SendGrid API key."""

    channels: tuple[str, ...] = ("email",)
    idempotent = False

    class Settings(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """`sender` is `Name <address>` and may be overridden by a message; accounts in Europe change `base_url`.

        `webhook_key` is the verification key of the event webhook. It is public; without it there are no receipts.
        """

        base_url: Place = "https://api.sendgrid.com"
        api_key: Secret
        sender: str
        webhook_key: str = ""

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._settings, self._tools = settings, tools
        self._url = settings.base_url.rstrip("/") + "/v3/mail/send"
        self._headers = {"authorization": f"Bearer {settings.api_key}", "content-type": "application/json"}
        self._key = events_key(settings.webhook_key) if settings.webhook_key else None
        self.receipts = self._key is not None
        if "@" not in parseaddr(settings.sender)[1]:
            mend = "write an address or `Name <address>`"
            raise Misconfigured(f"providers.{tools.account}.sender", "the account's settings", mend)

    async def send(self, message: Message) -> Result:
        """One e-mail to one person; `X-Message-Id` is the reference."""
        if not isinstance(message, Email):
            return Rejected(Reason.invalid_content)
        now = self._tools.clock.now()
        body = msgspec.json.encode(payload(message, self._settings.sender))
        timeout = allowance(self._settings, message, now)
        request = Request(url=self._url, headers=self._headers, body=body, timeout=timeout)
        return _result(await self._tools.http.call(request), now)

    async def callback(self, callback: Callback) -> Received:
        """The reports among the events; those that are not ours or not readable are passed over, one by one."""
        if self._key is None:
            raise Forged("this account has no webhook_key, so nothing can be verified")
        timestamp, signature = (callback.headers.get(_HEADER + name, "") for name in ("timestamp", "signature"))
        verify_events(self._key, timestamp, callback.body, signature)
        entries = parsed(callback.body, list[Raw])
        if entries is None:
            raise Invalid("body", "is not a JSON array of events", "point only the event webhook at this URL")
        reports = (_report(parsed(bytes(entry), Entry)) for entry in entries)
        return Received(reports=tuple(report for report in reports if report is not None))


def payload(message: Email, sender: str) -> dict[str, Any]:
    """The request as the service wants it: plain text before HTML, no empty part, no header that it writes itself."""
    parts = (("text/plain", message.text), ("text/html", message.html))
    headers = {name: value for name, value in message.headers.items() if name.lower() not in RESERVED}
    if message.references:
        headers |= {"References": " ".join(message.references), "In-Reply-To": message.references[-1]}
    ids = {"delivery_id": message.id, "ref": message.tag}
    wanted = {
        "personalizations": [{"to": [_mailbox(message.to, message.to_name)], "custom_args": ids}],
        "from": _mailbox(message.sender or sender),
        "reply_to": _mailbox(message.reply_to) if message.reply_to else None,
        "subject": message.subject,
        "content": [{"type": kind, "value": text} for kind, text in parts if text],
        "headers": headers,
    }
    return {name: value for name, value in wanted.items() if value}


def _mailbox(text: str, name: str = "") -> dict[str, str]:
    """`Name <address>` as the service spells it; a name of nobody is left out."""
    if "<" not in text:
        return {"email": text} | ({"name": name} if name else {})
    found, address = parseaddr(text)
    return {"email": address or text} | ({"name": name or found} if name or found else {})


def _result(response: Response, now: float) -> Result:
    """Anything but the documented 202 with its id leaves it open whether the service took the message."""
    if response.status == 202 and (reference := response.headers.get("x-message-id")):
        return Sent(reference)
    if response.status == 413:
        return Rejected(Reason.too_large)
    if response.status == 400 and _blames_address(response.body):
        return Rejected(Reason.bad_address)
    return classify(response, now=now)


def _blames_address(body: bytes) -> bool:
    """Whether a refusal names the recipient, `personalizations.0.to.0.email`."""
    found = parsed(body, Troubles) or Troubles()
    return any(".to." in (trouble.field or "") for trouble in found.errors)


def _report(entry: Entry | None) -> Report | None:
    """What an event says of one of our deliveries. Opens by a machine say nothing of a person."""
    if entry is None or not entry.delivery_id or entry.event not in EVENTS or entry.sg_machine_open:
        return None
    status, reason = EVENTS[entry.event]
    if entry.event == "bounce" and entry.type == "blocked":
        reason = Reason.unreachable
    if entry.event == "dropped":
        reason = DROPPED.get(entry.reason.lower(), reason)
    return Report(
        delivery=entry.delivery_id,
        ref=entry.ref,
        status=status,
        reason=reason,
        reference=entry.sg_message_id.partition(".")[0],
        at_service=float(entry.timestamp),
        dedup=f"{entry.sg_message_id}/{entry.event}/{entry.timestamp}",
    )
