"""The stand-in for Twilio: `POST /2010-04-01/Accounts/{sid}/Messages.json` and the signed status callback.

Facts: Twilio's OpenAPI document of the 2010 API, its error dictionary, its magic numbers for test credentials (the
`+1500555000x` below are the service's own) and its notes on request validation.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from email.utils import formatdate
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import msgspec

from angarium import signing
from angarium.ports.transport import Request, Response
from angarium.sandbox.script import Provider
from angarium.sandbox.server import Incoming
from angarium.sandbox.stand_in import JSON, Accepted, References, Report, Shown, retry_header, split_account

VERSION = "2010-04-01"
MAX_BODY = 1600
E164 = re.compile(r"\+[1-9]\d{6,14}")
SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
#: The number that test credentials own.
OWNED = "+15005550006"
#: The HTTP status and our words for each of the service's error codes.
ERRORS = {
    20003: (401, "the account or its token is wrong"),
    20404: (404, "there is no such resource"),
    20405: (405, "the method must be POST"),
    20429: (429, "too many requests"),
    20500: (500, "an unexpected error"),
    21211: (400, "'To' is no valid phone number"),
    21212: (400, "'From' is no valid sender"),
    21408: (400, "messages to this region are not permitted"),
    21602: (400, "a 'Body' is required"),
    21603: (400, "a 'From' or a 'MessagingServiceSid' is required"),
    21604: (400, "a 'To' number is required"),
    21606: (400, "the 'From' number is not the account's"),
    21609: (400, "'StatusCallback' is no valid URL"),
    21610: (400, "the recipient has opted out"),
    21611: (400, "the queue of the 'From' number is full"),
    21612: (400, "the number cannot be reached from here"),
    21614: (400, "'To' is no mobile number"),
    21617: (400, f"the body is longer than {MAX_BODY} characters"),
}
TO = {"1": 21211, "2": 21612, "3": 21408, "4": 21610, "9": 21614}
FROM = {"1": 21212, "7": 21606, "8": 21611}
MAGIC = re.compile(r"\+1500555000(\d)")
#: Ours: `+1500555300N` is accepted, then reported as undelivered with error 3000N.
UNDELIVERED = re.compile(r"\+1500555300(\d)")


class Twilio:
    """Takes text messages with the sandbox's account, and reports to the `StatusCallback` of each."""

    provider: Provider = "twilio"
    together = False

    def __init__(self, account_sid: str, auth_token: str) -> None:
        self._sid, self._token, self._references = account_sid, auth_token, References()
        self._authorization = b"Basic " + b64encode(f"{account_sid}:{auth_token}".encode())

    def take(self, path: str, incoming: Incoming, at: float) -> Accepted | Response:
        """201 with the message as JSON, or the service's error."""
        account, rest = split_account(path, self.provider, VERSION)
        if not compare_digest(incoming.headers.get("authorization", "").encode("latin-1"), self._authorization):
            return refusal(20003)
        if rest != f"{VERSION}/Accounts/{self._sid}/Messages.json":
            return refusal(20404)
        if incoming.method != "POST":
            return refusal(20405)
        form = dict(parse_qsl(incoming.body.decode("utf-8", "replace"), keep_blank_values=True))
        code = next(problems(form), None)
        return refusal(code) if code else self._accept(form, account, at)

    def _accept(self, form: Mapping[str, str], account: str, at: float) -> Accepted:
        sid = f"SM{self._references.next()}"
        callback, to, text = form.get("StatusCallback", ""), form["To"], form["Body"]
        [delivery] = parse_qs(urlsplit(callback).query).get("delivery_id", [""])[:1]
        return Accepted(
            account=account,
            delivery_id=delivery,
            reference=sid,
            answer=Response(status=201, headers=JSON, body=msgspec.json.encode(self._resource(sid, form, at))),
            shown=Shown(channel="sms", to=to, sender=form.get("From", ""), text=text),
            reports=tuple(self._reports(sid, form, callback)) if callback else (),
        )

    def _resource(self, sid: str, form: Mapping[str, str], at: float) -> dict[str, Any]:
        made = formatdate(at)
        return {
            "sid": sid,
            "account_sid": self._sid,
            "api_version": VERSION,
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "body": form["Body"],
            "status": "queued",
            "direction": "outbound-api",
            "num_segments": "0",  # not counted yet, as the service says of a queued message
            "num_media": "0",
            "error_code": None,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "date_created": made,
            "date_updated": made,
            "date_sent": None,
            "uri": f"/{VERSION}/Accounts/{self._sid}/Messages/{sid}.json",
        }

    def _reports(self, sid: str, form: Mapping[str, str], url: str) -> Iterator[Report]:
        known = {"MessageSid": sid, "SmsSid": sid, "AccountSid": self._sid, "ApiVersion": VERSION, "To": form["To"]}
        known["From"] = form.get("From", OWNED)  # a messaging service picks one of its numbers
        for step, (status, code) in enumerate(outcome(form["To"]), 1):
            fields = known | {"MessageStatus": status, "SmsStatus": status} | ({"ErrorCode": code} if code else {})
            yield Report(url=url, label=status, fields=fields, step=step)

    def failure(self, status: int, retry_after: float | None) -> Response:
        """The service's own form of an outage."""
        return refusal(20429 if status == 429 else 20500, retry_header(retry_after))

    def request(self, url: str, events: Sequence[Mapping[str, Any]], at: float) -> Request:
        """A form, signed with the account's token over the exact URL and the fields."""
        [fields] = events
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": signing.sign_twilio(self._token, url, fields.items()),
        }
        return Request(url=url, headers=headers, body=urlencode(fields).encode())


def refusal(code: int, headers: Mapping[str, str] = {}) -> Response:
    """The service's error body for one of its codes."""
    status, message = ERRORS[code]
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return Response(status=status, headers=JSON | dict(headers), body=msgspec.json.encode(body))


def problems(form: Mapping[str, str]) -> Iterator[int]:
    """The error codes that the service would tell of a form, the first one first."""
    yield from _numbers(form.get("To", ""), form.get("From", ""), form.get("MessagingServiceSid", ""))
    body, callback = form.get("Body", ""), form.get("StatusCallback", "")
    if not body:
        yield 21602
    if len(body) > MAX_BODY:
        yield 21617
    if callback and not callable_url(callback):
        yield 21609


def _numbers(to: str, sender: str, service: str) -> Iterator[int]:
    if not to:
        yield 21604
    if not sender and not service:
        yield 21603
    if not E164.fullmatch(to):
        yield 21211
    if sender and not SENDER.fullmatch(sender):
        yield 21212
    for number, table in ((to, TO), (sender, FROM)):
        if (magic := MAGIC.fullmatch(number)) and magic[1] in table:
            yield table[magic[1]]


def callable_url(url: str) -> bool:
    """Would the service call it? It takes http and https, and no underscore in the host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "_" not in (parts.hostname or "")
    except ValueError:
        return False


def outcome(number: str) -> tuple[tuple[str, str], ...]:
    """The statuses that a number will see, each with its error code or ""."""
    scripted = UNDELIVERED.fullmatch(number)
    return (("sent", ""), ("undelivered", f"3000{scripted[1]}") if scripted else ("delivered", ""))
