"""Plain sentences about what became of a delivery: pure, and without an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from angarium.decide import lifecycle
from angarium.model import times
from angarium.model.delivery import Delivery
from angarium.model.reasons import Reason, Status
from angarium.model.timeline import Line
from angarium.model.user import Address

#: What each reason means, as the end of a sentence: "skipped, there is no address for it".
REASONS: Mapping[Reason, str] = {
    Reason.accepted: "the service took it",
    Reason.delivered: "the service reported that it arrived",
    Reason.seen: "it was seen",
    Reason.read: "it was read",
    Reason.acknowledged: "the person acknowledged it",
    Reason.no_recipient: "nobody who can be used was named",
    Reason.no_address: "there is no address for it",
    Reason.no_device: "the person has no device for it",
    Reason.unsubscribed: "the person, the tenant or the category has switched it off",
    Reason.suppressed: "the address must not be used since a service reported it",
    Reason.quiet: "these are quiet hours",
    Reason.throttled: "too many were sent in a short time",
    Reason.duplicate: "the same was sent already",
    Reason.condition_false: "its condition is false",
    Reason.stopped: "a stop step ended the plan",
    Reason.superseded: "another channel took its place",
    Reason.cancelled: "it was cancelled",
    Reason.cancel_on: "an event that cancels it came",
    Reason.reached: "the person was reached",
    Reason.expired: "it was no longer of use",
    Reason.bounced: "it came back",
    Reason.complained: "the person reported it as unwanted",
    Reason.opted_out: "the person told the service to stop",
    Reason.bad_address: "the service says that there is no such address",
    Reason.unreachable: "the service cannot reach the address",
    Reason.too_large: "the message is too large for the service",
    Reason.invalid_content: "the service does not accept its content",
    Reason.template_error: "its template cannot be rendered",
    Reason.content_missing: "the workflow has no content for this channel",
    Reason.rate_limited: "the service says that we call too often",
    Reason.overloaded: "the service says that it is overloaded",
    Reason.unavailable: "the service or the account is not available",
    Reason.unauthorized: "the service does not accept our credentials",
    Reason.blocked_address: "the URL leads to an address that may not be called",
    Reason.refused: "the service refused it",
    Reason.connect_failed: "no connection to the service came about",
    Reason.tls_failed: "no encrypted connection to the service came about",
    Reason.busy: "another worker holds the same try",
    Reason.timeout: "the service did not answer in time",
    Reason.reset_after_write: "the connection broke before the answer",
    Reason.garbage: "the answer cannot be read",
    Reason.server_error: "the service failed while it handled the call",
    Reason.lease_lapsed: "the worker that made the call never told the answer",
    Reason.exhausted: "every try of the retry list was used",
    Reason.account_paused: "the account is paused",
    Reason.provider_error: "our adapter of the service failed",
    Reason.undecodable: "the record cannot be read",
    Reason.handler_error: "the record made its worker fail",
    Reason.refused_by_broker: "the broker does not take the record",
    Reason.killed_worker: "the record ended its worker's process",
}
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))


def span(seconds: float) -> str:
    """A length of time in its largest unit: `0.4 s`, `12 min`, `1.5 d`."""
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{round(max(0.0, seconds), 1):g} s"


def masked(address: Address | None) -> str | None:
    """Enough of an address to tell two apart, and not enough to use it. The inbox has none: the user's id is one."""
    if address is None or address.channel == "inbox":
        return None
    match address.channel:
        case "email":
            local, _, domain = address.value.rpartition("@")
            return f"{local[:1]}***@{domain}"
        case "sms" | "voice":
            return f"***{address.value[-2:]}"
        case _:
            return "***"


def delivery(row: Delivery, lines: Sequence[Line], accepted: float, now: float) -> str:
    """Where a delivery stands and why. `lines` are its notification's timeline; times are Unix seconds."""
    return f"{row.channel}: {_standing(row, lines, accepted, now)}"


def _standing(row: Delivery, lines: Sequence[Line], accepted: float, now: float) -> str:
    why = REASONS[row.reason] if row.reason else "nothing more is known"
    match row.status:
        case Status.planned:
            return "planned"
        case Status.waiting:
            return f"waits for try {row.try_} until {moment(row.due)}, {why}"
        case Status.sending:
            return f"try {row.try_} is under way, {span(now - row.created)} after it was decided"
        case Status.unknown:
            return f"try {row.try_} may have been sent, {why}; decided again at {moment(row.due)}"
        case Status.parked:
            return f"parked, try {row.try_} may have been sent, {why}; only a person may send it again"
        case Status.failed if lifecycle.failed(row):
            return _failed(row, lines, why)
        case Status.cancelled | Status.expired | Status.skipped | Status.failed:
            return f"{row.status}, {why}"
        case _:
            return _sent(row, lines, accepted)


def _failed(row: Delivery, lines: Sequence[Line], why: str) -> str:
    """A bounce keeps the service's own reason in the timeline."""
    if row.reason is Reason.bounced:
        told = _line(row, Status.failed.value, lines)
        why = REASONS[told.reason] if told and told.reason else why
        return f"sent{_by(row)}, then failed: {why}"
    if row.try_ == 0:
        return "failed, no account is configured for this channel"
    return f"failed{_by(row)} on try {row.try_}: {why}"


def _sent(row: Delivery, lines: Sequence[Line], accepted: float) -> str:
    told = _line(row, row.status.value, lines)
    at = told.at if told else row.sent
    word = "" if row.status is Status.sent else f"{row.status} "
    after = f", {word}{span(at - accepted)} after the event" if at is not None else ""
    return f"sent{_by(row)} on try {row.try_}{after}"


def _by(row: Delivery) -> str:
    return f" by {row.account}" if row.account else ""


def _line(row: Delivery, kind: str, lines: Sequence[Line]) -> Line | None:
    return next((line for line in lines if line.delivery == row.id and line.kind == kind), None)


def moment(seconds: float | None) -> str:
    """RFC 3339, or a word for no time."""
    return times.text(seconds) if seconds is not None else "an unknown time"
