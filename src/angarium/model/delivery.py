"""A delivery, the unit of work, and its hand-over to a Sender."""

from __future__ import annotations

from msgspec import Raw, Struct, field

from angarium.model.category import Unknowns
from angarium.model.reasons import Priority, Reason, Status
from angarium.model.user import Address


class Delivery(Struct, frozen=True, kw_only=True):
    """One message to one address over one channel, as the ledger keeps it. Times are Unix seconds.

    `try_` is the try that `status` speaks of; `token` the newest claim known of it; `version` counts changes.
    `deadline` is when an unanswered hand-over is published again; of an unknown outcome, when its silence ends.
    """

    id: str
    tenant: str
    notification: str
    run: str
    user: str
    step: str
    slot: str
    channel: str
    address: Address | None
    account: str | None = None
    status: Status = Status.planned
    try_: int = 0
    token: int = 0
    reason: Reason | None = None
    reference: str | None = None
    due: float | None = None
    expires: float
    created: float
    sent: float | None = None
    ended: float | None = None
    deadline: float | None = None
    version: int = 0


class Handover(Struct, frozen=True, kw_only=True, gc=False):
    """One try handed to a Sender: the value of a `deliver.C.P` record. It carries all that rendering needs."""

    v: int = 1
    delivery: str
    notification: str
    run: str
    tenant: str
    user: str
    try_: int = field(name="try")
    channel: str
    step: str
    slot: str
    workflow: str
    release: str
    content: str | None
    category: str
    priority: Priority
    on_unknown: Unknowns
    to: Address
    locale: str
    person: Raw
    event: Raw
    accounts: tuple[str, ...]
    expires: float
    accepted: float
