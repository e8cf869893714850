"""What an answer, or the lack of one, means for a delivery: sent is the provider's to say, the rest is said here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Unknown
from angarium.ports.transport import Response
from angarium.transport.errors import CallFailed

__all__ = ["CallFailed", "classify", "failure", "retry_after"]

#: The longest wait, in seconds, that we let a service ask for.
LONGEST_WAIT = 6 * 3600.0
#: Reasons that mean "later" when a service's own code is mapped to them.
LATER = frozenset({Reason.rate_limited, Reason.overloaded, Reason.unavailable, Reason.unauthorized, Reason.busy})
SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?", re.ASCII)
#: No form of HTTP date (RFC 9110 5.6.7) is longer.
DATE_CHARACTERS = 40


def failure(error: CallFailed) -> Result:
    """Nothing written is a definite non-send; anything written leaves the outcome unknown."""
    return Unknown(error.reason) if error.written else Retry(error.reason)


def classify(
    response: Response, reasons: Mapping[str, Reason] | None = None, code: str | None = None, *, now: float
) -> Result:
    """The result of an answer that is no success. `now` is in Unix seconds.

    `code` names the field of the JSON body that holds the service's own code, `reasons` says what its codes mean. On a
    4xx a mapped code decides before the status does: a 403 about one recipient is not one about the account.

    - 2xx, 1xx, 600 and more: the provider could not read it, so it may have been sent: unknown.
    - 3xx: never followed. The configured URL is wrong, and no repetition mends that: rejected.
    - 401, 403: retry; the Sender pauses the account. 429, 503: retry, after what `Retry-After` asks for.
    - 408 and the other 5xx: a proxy may have passed the request on before it gave up: unknown.
    - the other 4xx: rejected.
    """
    status, wait = response.status, retry_after(response.headers, now)
    if 400 <= status < 500 and code and reasons and (reason := reasons.get(own_code(response.body, code))):
        return Retry(reason, wait) if reason in LATER else Rejected(reason)
    match status:
        case 401 | 403:
            return Retry(Reason.unauthorized)
        case 429:
            return Retry(Reason.rate_limited, wait)
        case 503:
            return Retry(Reason.unavailable, wait)
        case _ if status == 408 or 500 <= status < 600:
            return Unknown(Reason.server_error)
        case _ if 300 <= status < 400:
            return Rejected(Reason.refused)
        case _ if 400 <= status < 500:
            return Rejected(Reason.invalid_content)
        case _:
            return Unknown(Reason.garbage)


def own_code(body: bytes, field: str) -> str:
    """The service's own code as text, "" when the body is no JSON object with a text or an integer there."""
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
    value = fields.get(field) if isinstance(fields, dict) else None
    return str(value) if isinstance(value, str | int) else ""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait from `Retry-After` (RFC 9110 10.2.3), seconds or a date, at most six hours; None for garbage."""
    text = headers.get("retry-after", "").strip()
    if SECONDS.fullmatch(text):
        return min(float(text), LONGEST_WAIT)
    moment = http_date(text)
    return None if moment is None else min(max(moment - now, 0.0), LONGEST_WAIT)


def http_date(text: str) -> float | None:
    """Unix seconds of an HTTP date, None when it is none."""
    if not text or len(text) > DATE_CHARACTERS:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
