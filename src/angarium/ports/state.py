"""The state: what is in flight. Losing it loses nothing; a call is one round trip for a whole batch, by its clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from msgspec import Struct

from angarium.model.result import Result


class Claim(Struct, frozen=True, gc=False):
    """May I call `account` for try `try_` of `delivery`? The lease lasts `lease` seconds by the state's clock."""

    delivery: str
    try_: int
    lease: float
    account: str = ""


class Go(Struct, frozen=True, gc=False):
    """Call, and settle with this token. Tokens of one delivery only ever grow, also after the state was wiped."""

    token: int


class Busy(Struct, frozen=True, gc=False):
    """Another Sender holds this try for `ms` more milliseconds."""

    ms: int


class Done(Struct, frozen=True, gc=False):
    """This try was answered already: tell the same answer again, with the token and the account that got it."""

    answer: Result
    token: int
    account: str = ""


class Lapsed(Struct, frozen=True, gc=False):
    """The lease of `token` ran out unanswered: what `account` did is unknown, never call again."""

    token: int
    account: str = ""


class Behind(Struct, frozen=True, gc=False):
    """The state knows a later try, with its answer if there is one."""

    try_: int
    answer: Result | None


Verdict = Go | Busy | Done | Lapsed | Behind


class Answer(Struct, frozen=True, gc=False):
    """The result of a call, told by the holder of `token`."""

    delivery: str
    try_: int
    token: int
    result: Result


class Release(Struct, frozen=True, gc=False):
    """The claim was not used: forget it, if `token` still holds it."""

    delivery: str
    token: int


class Ask(Struct, frozen=True, gc=False):
    """`count` rate tokens of `account`, refilled at `rate` a second, one second of burst."""

    account: str
    count: int
    rate: float


class Grant(Struct, frozen=True, gc=False):
    """How many were granted, and how many seconds until the next one is there."""

    count: int
    wait: float


class Window(Struct, frozen=True, gc=False):
    """One event in a rule's window: counted once per `event` within `seconds`."""

    key: str
    event: str
    seconds: float


class State(Protocol):
    """An async context manager. Every method raises `Unavailable` when the store does not answer."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def claim(self, claims: Sequence[Claim]) -> Mapping[str, Verdict]:
        """The verdict by delivery id; the claims of one batch name each delivery once.

        Nothing or a smaller try: `Go`, and the claim is stored before this returns. The same try: `Done`, `Busy`
        (a remainder longer than the lease counts as over) or `Lapsed`. A larger try: `Behind`.
        """
        ...

    async def settle(self, answers: Sequence[Answer | Release]) -> None:
        """Store answers. Only the token's holder may; a missing key is re-created; a stale one is ignored."""
        ...

    async def take(self, asks: Sequence[Ask]) -> Mapping[str, Grant]:
        """Rate tokens by account (GCRA). Grants as many of `count` as there are."""
        ...

    async def count(self, windows: Sequence[Window]) -> Mapping[str, int]:
        """The number of different events in each key's window, this one included. An event id counts once."""
        ...
