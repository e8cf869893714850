"""A run and a notification, as the ledger keeps them."""

from __future__ import annotations

from msgspec import Raw, Struct

from angarium.model.reasons import Priority, Progress, Reason


class Run(Struct, frozen=True, kw_only=True):
    """One event under one workflow. `named_count` and `named_sum` prove that no notification went missing."""

    id: str
    tenant: str
    workflow: str
    release: str
    category: str
    priority: Priority
    source: str
    event_id: str
    named_count: int
    named_sum: int
    started: float
    ended: float | None = None
    reason: Reason | None = None


class Notification(Struct, frozen=True, kw_only=True):
    """One run for one recipient: the unit of decision.

    `plan`, `event` and `person` are the JSON of `Plan`, `Event` and `Person`, pinned when it started.
    `step` is the index in the plan of the step now being done and `due` the end of its delay, if it is one;
    `deadline` is when it is looked at again anyway.
    """

    id: str
    tenant: str
    run: str
    user: str
    workflow: str
    release: str
    category: str
    priority: Priority
    locale: str
    plan: Raw
    event: Raw
    person: Raw
    accepted: float
    step: int = 0
    due: float | None = None
    status: Progress = Progress.running
    reason: Reason | None = None
    started: float
    ended: float | None = None
    deadline: float = 0.0
