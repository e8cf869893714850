"""The closed vocabularies: used as fields, log keys and metric labels alike."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """Lanes, best first. A bulk send never stands before a critical one."""

    critical = "critical"
    normal = "normal"
    bulk = "bulk"


class Status(StrEnum):
    """Where a delivery stands. `lifecycle.advance` says which follows which."""

    planned = "planned"
    waiting = "waiting"
    sending = "sending"
    unknown = "unknown"
    parked = "parked"
    cancelled = "cancelled"
    expired = "expired"
    skipped = "skipped"
    failed = "failed"
    sent = "sent"
    delivered = "delivered"
    seen = "seen"
    read = "read"
    acknowledged = "acknowledged"


class Progress(StrEnum):
    """Where a notification or a run stands."""

    running = "running"
    done = "done"
    cancelled = "cancelled"
    expired = "expired"


class Outcome(StrEnum):
    """What became of an event."""

    matched = "matched"
    unmatched = "unmatched"
    repeated = "repeated"
    dead = "dead"


class Reason(StrEnum):
    """Why: one word for every decision and every answer."""

    # it went on
    accepted = "accepted"
    delivered = "delivered"
    seen = "seen"
    read = "read"
    acknowledged = "acknowledged"
    # nobody or nowhere to send to
    no_recipient = "no_recipient"
    no_address = "no_address"
    no_device = "no_device"
    unsubscribed = "unsubscribed"
    suppressed = "suppressed"
    quiet = "quiet"
    throttled = "throttled"
    duplicate = "duplicate"
    condition_false = "condition_false"
    stopped = "stopped"
    superseded = "superseded"
    # ended from outside
    cancelled = "cancelled"
    cancel_on = "cancel_on"
    reached = "reached"
    expired = "expired"
    # the service or the content says never
    bounced = "bounced"
    complained = "complained"
    opted_out = "opted_out"
    bad_address = "bad_address"
    unreachable = "unreachable"
    too_large = "too_large"
    invalid_content = "invalid_content"
    template_error = "template_error"
    content_missing = "content_missing"
    # definitely not sent, try again
    rate_limited = "rate_limited"
    overloaded = "overloaded"
    unavailable = "unavailable"
    unauthorized = "unauthorized"
    blocked_address = "blocked_address"
    refused = "refused"
    connect_failed = "connect_failed"
    tls_failed = "tls_failed"
    busy = "busy"
    # nobody knows
    timeout = "timeout"
    reset_after_write = "reset_after_write"
    garbage = "garbage"
    server_error = "server_error"
    lease_lapsed = "lease_lapsed"
    # ours
    exhausted = "exhausted"
    account_paused = "account_paused"
    provider_error = "provider_error"
    # dead letters
    undecodable = "undecodable"
    handler_error = "handler_error"
    refused_by_broker = "refused_by_broker"
    killed_worker = "killed_worker"
