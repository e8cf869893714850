"""Deterministic ids: a repeated publish makes the same id, so it has no second effect.

Notification and delivery ids start with the run's start time, so that rows of one time are written side by side.
"""

from __future__ import annotations

import hashlib

#: base32hex in lower case: unlike the RFC 4648 alphabet its order is the order of the numbers it writes.
_SORTABLE = "0123456789abcdefghijklmnopqrstuv"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def digest(*parts: str) -> str:
    """BLAKE2b-128 over `length:text` of each part, as 26 lower-case base32 characters."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode()
        state.update(b"%d:" % len(encoded))
        state.update(encoded)
    return letters(state.digest())


def letters(data: bytes) -> str:
    """RFC 4648 base32 in lower case, without padding. From a table, because the standard library's is slow."""
    bits = 8 * len(data)
    odd = -bits % 10
    number = int.from_bytes(data, "big") << odd
    pairs = [_PAIRS[(number >> shift) & 1023] for shift in range(bits + odd - 10, -1, -10)]
    return "".join(pairs)[: -(-bits // 5)]


def stamp(started: float) -> str:
    """Nine characters for a time (Unix seconds, to the millisecond) that sort as the times do."""
    number = int(started * 1000)
    return "".join(_SORTABLE[(number >> shift) & 31] for shift in range(40, -1, -5))


def run_id(tenant: str, source: str, event: str, workflow: str) -> str:
    """One event under one workflow."""
    return "run_" + digest(tenant, source, event, workflow)


def notification_id(run: str, recipient: str, started: float) -> str:
    """One run for one recipient. `started` is the stored run's start time."""
    return f"ntf_{stamp(started)}{digest(run, recipient)}"


def delivery_id(notification: str, path: str, slot: str) -> str:
    """One message of a notification: the address is no part of it, so an edited profile makes no second one."""
    return f"dlv_{notification[4:13]}{digest(notification, path, slot)}"


def dead_id(topic: str, partition: int, offset: int) -> str:
    """One record in one place of the log."""
    return "dead_" + digest(topic, str(partition), str(offset))


def timer_id(subject: str, hop: str) -> str:
    """One timer of a notification or a delivery."""
    return f"{subject}/{hop}"
