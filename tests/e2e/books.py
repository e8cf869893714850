"""Keeping the books: what was handed in, what the ledger says, what the stand-ins saw; all three must agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from angarium.sandbox.journal import Call
from tests.e2e.server import Server

#: `record_property`: figures that are shown after the run and not judged.
Figures = Callable[[str, object], None]
#: Statuses of deliveries that a service took.
TAKEN = frozenset({"sent", "delivered", "seen", "read", "acknowledged"})
#: Reasons of those that failed after a service took them.
TAKEN_BACK = frozenset({"bounced", "complained", "unreachable"})
#: Channels whose calls the stand-ins write down; the inbox calls nobody.
CALLED = frozenset({"email", "sms", "webhook"})


def names(events: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """What makes events distinct."""
    return {(event["source"], event["id"]) for event in events}


def taken(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Deliveries that, says the ledger, a stand-in took."""
    called = [row for row in rows if row["channel"] in CALLED]
    return {row["id"] for row in called if row["status"] in TAKEN or row["reason"] in TAKEN_BACK}


def settle(server: Server, handed_in: Sequence[Mapping[str, Any]], calls: Iterable[Call]) -> Counter[str]:
    """Hold the three against one another once all is at rest; how often each delivery was called."""
    audit = server.audit()
    assert audit["ok"], audit["holes"]
    assert audit["complete"], audit
    outcomes = {(row["source"], row["id"]): row["outcome"] for row in map(server.event, names(handed_in))}
    assert set(outcomes) == names(handed_in)
    assert not [name for name, outcome in outcomes.items() if outcome not in ("matched", "unmatched", "repeated")]
    seen, rows = Counter(call.delivery_id for call in calls), list(server.pages("deliveries"))
    odd = [row for row in rows if row["id"] in seen.keys() ^ taken(rows)]
    assert not odd, f"{len(odd)} deliveries differ, such as {odd[:3]}"
    assert seen.keys() == taken(rows)
    return seen


def repeats(seen: Counter[str]) -> int:
    """Calls beyond the first of each delivery."""
    return seen.total() - len(seen)
