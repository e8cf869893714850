"""The stand-in for SendGrid: `POST /v3/mail/send` and the signed event webhook.

Facts: SendGrid's OpenAPI document of the v3 mail API and its event webhook reference.
Local parts that script an outcome (a `+tag` may follow): see `OUTCOMES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hmac import compare_digest
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from angarium import signing
from angarium.ports.transport import Request, Response
from angarium.sandbox.mail import Mail, Problem, problems, unreadable
from angarium.sandbox.script import Provider
from angarium.sandbox.server import Incoming
from angarium.sandbox.stand_in import JSON, Accepted, References, Report, Shown, retry_header, split_account

#: The event kinds that follow a call, by the local part of the address.
OUTCOMES = {
    "bounce": ("processed", "bounce"),
    "blocked": ("processed", "blocked"),
    "drop": ("dropped",),
    "defer": ("processed", "deferred", "delivered"),
    "open": ("processed", "delivered", "open"),
    "click": ("processed", "delivered", "open", "click"),
    "spam": ("processed", "delivered", "spamreport"),
    "unsubscribe": ("processed", "delivered", "unsubscribe"),
}
DELIVERED = ("processed", "delivered")
#: What an event carries beside what all of them carry. `blocked` is a bounce of another type.
DETAILS: dict[str, dict[str, str]] = {
    "bounce": {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 there is no such mailbox"},
    "blocked": {"event": "bounce", "type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 refused for now"},
    "dropped": {"status": "5.0.0", "reason": "Bounced Address"},
    "deferred": {"status": "4.2.2", "response": "452 4.2.2 the mailbox is full", "attempt": "1"},
    "delivered": {"response": "250 2.0.0 OK"},
    "click": {"url": "https://example.com/"},
}


class SendGrid:
    """Takes e-mail with the sandbox's key, and reports to `{public_url}/v1/callbacks/{account}`."""

    provider: Provider = "sendgrid"
    together = True

    def __init__(self, api_key: str, key: EllipticCurvePrivateKey, public_url: str) -> None:
        self._authorization = f"Bearer {api_key}".encode()
        self._key, self._public_url, self._references = key, public_url, References()
        self._decode = msgspec.json.Decoder(Mail).decode

    def take(self, path: str, incoming: Incoming, at: float) -> Accepted | Response:
        """202 with an empty body and `X-Message-Id`, or the errors that the service would tell."""
        account, rest = split_account(path, self.provider, "v3")
        if rest != "v3/mail/send":
            return refusal(404, [("there is no such endpoint", None)])
        if incoming.method != "POST":
            return refusal(405, [("the method must be POST", None)])
        if not compare_digest(incoming.headers.get("authorization", "").encode("latin-1"), self._authorization):
            return refusal(401, [("the API key is missing or not valid", None)])
        if not incoming.headers.get("content-type", "").startswith("application/json"):
            return refusal(415, [("the content type must be application/json", None)])
        try:
            mail = self._decode(incoming.body)
        except msgspec.DecodeError as error:
            return refusal(400, [unreadable(error)])
        return refusal(400, wrong) if (wrong := list(problems(mail, at))) else self._accept(mail, account, at)

    def _accept(self, mail: Mail, account: str, at: float) -> Accepted:
        reference = self._references.next()
        to = ", ".join(mailbox.email for person in mail.personalizations for mailbox in person.to)
        first = mail.personalizations[0]
        subject = first.subject or mail.subject or ""
        delivery = (mail.custom_args | first.custom_args).get("delivery_id", "")
        parts = {part.type: part.value for part in reversed(mail.content)}
        return Accepted(
            account=account,
            delivery_id=delivery,
            reference=reference,
            answer=Response(status=202, headers={"x-message-id": reference}),
            shown=Shown(
                channel="email",
                to=to,
                sender=(first.from_ or mail.from_).email,
                subject=subject,
                text=parts.get("text/plain", ""),
                html=parts.get("text/html", ""),
            ),
            reports=tuple(self._reports(mail, account, reference, at)),
        )

    def _reports(self, mail: Mail, account: str, reference: str, at: float) -> Iterator[Report]:
        url = f"{self._public_url}/v1/callbacks/{account}"
        for person in mail.personalizations:
            extra = mail.custom_args | person.custom_args
            for mailbox in person.to:
                for number, label in enumerate(outcome(mailbox.email)):
                    fields = event(label, mailbox.email, reference, at, number) | extra
                    yield Report(url=url, label=label, fields=fields)

    def failure(self, status: int, retry_after: float | None) -> Response:
        """The service's own form of an outage."""
        words = "too many requests" if status == 429 else "an unexpected error"
        return refusal(status, [(words, None)], retry_header(retry_after))

    def request(self, url: str, events: Sequence[Mapping[str, Any]], at: float) -> Request:
        """An array of events, signed over the second of sending and the bytes of the body."""
        body, timestamp = msgspec.json.encode(events), str(int(at))
        headers = JSON | {
            "x-twilio-email-event-webhook-signature": signing.sign_events(self._key, timestamp, body),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }
        return Request(url=url, headers=headers, body=body)


def refusal(status: int, errors: Sequence[Problem], headers: Mapping[str, str] = {}) -> Response:
    """The service's error body from pairs of message and field."""
    told = [{"message": message, "field": place, "help": None} for message, place in errors]
    return Response(status=status, headers=JSON | dict(headers), body=msgspec.json.encode({"errors": told}))


def outcome(address: str) -> tuple[str, ...]:
    """The kinds of event that an address will see."""
    return OUTCOMES.get(address.partition("@")[0].partition("+")[0].lower(), DELIVERED)


def event(label: str, address: str, reference: str, at: float, number: int) -> dict[str, Any]:
    """One entry of the event webhook's array. Its message id is the call's `X-Message-Id` with a suffix."""
    fields: dict[str, Any] = {
        "email": address,
        "timestamp": int(at),
        "event": label,
        "smtp-id": f"<{reference}@sandbox.invalid>",
        "sg_message_id": f"{reference}.sandbox-0.0.0",
        "sg_event_id": f"{reference}-{address}-{number}",
    }
    return fields | DETAILS.get(label, {})
