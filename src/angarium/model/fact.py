"""Facts: the records of the journal, a tagged union by `kind`.

Order and repetition never matter: `lifecycle.advance` keeps the maximum, and an identity makes a repeat visible.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct, field

from angarium.model.ids import digest
from angarium.model.reasons import Priority, Reason, Status
from angarium.model.result import Result
from angarium.model.user import Person

VERSION = 1


class _Fact(Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """`at` is Unix seconds by the clock of whoever saw it; no decision compares it with another clock."""

    v: int = VERSION
    notification: str
    at: float


class Started(_Fact, frozen=True, kw_only=True, tag="started"):
    """The Router named a recipient. The first one stored wins, plan and all."""

    tenant: str
    run: str
    workflow: str
    release: str
    category: str
    priority: Priority
    user: str
    person: Person | None = None
    locale: str | None = None
    accepted: float
    event: Raw
    plan: Raw


class SentFact(_Fact, frozen=True, kw_only=True, tag="sent"):
    """The service took try `try_`; `ms` is how long the call took."""

    delivery: str
    try_: int = field(name="try")
    token: int
    account: str
    reference: str = ""
    ms: float = 0.0


class Deferred(_Fact, frozen=True, kw_only=True, tag="deferred"):
    """Definitely not sent. With reason `busy` another Sender holds the same try until `after` seconds from now."""

    delivery: str
    try_: int = field(name="try")
    token: int = 0
    account: str = ""
    reason: Reason
    after: float | None = None


class RejectedFact(_Fact, frozen=True, kw_only=True, tag="rejected"):
    """Definitely not sent, and never will be. `detail` names a place in the project, never a value."""

    delivery: str
    try_: int = field(name="try")
    token: int
    account: str = ""
    reason: Reason
    detail: str = ""


class UnknownFact(_Fact, frozen=True, kw_only=True, tag="unknown"):
    """Nobody knows whether it was sent."""

    delivery: str
    try_: int = field(name="try")
    token: int
    account: str = ""
    reason: Reason


class Dropped(_Fact, frozen=True, kw_only=True, tag="dropped"):
    """The last look said no: nothing was called."""

    delivery: str
    try_: int = field(name="try")
    status: Status
    reason: Reason


class Behind(_Fact, frozen=True, kw_only=True, tag="behind"):
    """The state knows a later try than the record did: a restored ledger catches up."""

    delivery: str
    try_: int = field(name="try")
    answer: Result | None = None


class Answered(_Fact, frozen=True, kw_only=True, tag="answered"):
    """What a `lookup` or a `fetch` found out."""

    delivery: str
    what: Literal["lookup", "fetch"]
    answer: Raw


class Receipt(_Fact, frozen=True, kw_only=True, tag="receipt"):
    """A service or a device reported. `dedup` is the service's own identity of the report."""

    delivery: str
    account: str
    status: Status
    reason: Reason | None = None
    reference: str = ""
    at_service: float | None = None
    dedup: str


class Due(_Fact, frozen=True, kw_only=True, tag="due"):
    """A timer came due. It is believed, never compared with a clock."""

    timer: str
    hop: str
    lease: int = 0


class Arrived(_Fact, frozen=True, kw_only=True, tag="arrived"):
    """An awaited or cancelling event came."""

    wait: str
    event: str


class Poke(_Fact, frozen=True, kw_only=True, tag="poke"):
    """Evaluate now: something outside the journal changed."""


Fact = (
    Started
    | SentFact
    | Deferred
    | RejectedFact
    | UnknownFact
    | Dropped
    | Behind
    | Answered
    | Receipt
    | Due
    | Arrived
    | Poke
)


def identity(fact: Fact) -> str:
    """The same for every repetition of one fact."""
    match fact:
        case Started() | Poke():
            return type(fact).__name__.lower()
        case Receipt():
            return digest("receipt", fact.account, fact.dedup)
        case Due():
            return digest("due", fact.timer)
        case Arrived():
            return digest("arrived", fact.wait, fact.event)
        case Answered():
            return digest("answered", fact.delivery, fact.what)
        case SentFact() | Deferred() | RejectedFact() | UnknownFact():
            kind = type(fact).__name__
            return digest(kind, fact.delivery, str(fact.try_), str(fact.token))
        case Dropped() | Behind():
            return digest(type(fact).__name__, fact.delivery, str(fact.try_))
