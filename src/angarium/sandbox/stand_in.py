"""What a stand-in is: it takes a request as its service would, and writes the callbacks that its service would send."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from angarium.ports.transport import Request, Response
from angarium.sandbox.journal import Call
from angarium.sandbox.script import Provider
from angarium.sandbox.server import Incoming

#: Characters of a message that the journal keeps.
SUMMARY = 80
JSON = {"content-type": "application/json"}


class Shown(Struct, frozen=True, kw_only=True):
    """What a person would see of a message, for the catcher page. `text` of a webhook is its body."""

    channel: str
    to: str
    sender: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""


class Report(Struct, frozen=True, kw_only=True):
    """One callback to come, `step` delays after the call. `fields` are the service's own words, `label` the kind."""

    url: str
    label: str
    fields: Mapping[str, Any]
    step: int = 1


class Accepted(Struct, frozen=True, kw_only=True):
    """A call that the service takes: what to keep, what to answer, what to show and what to report.

    `reference` is the service's id for the message, `again` its answer to a delivery that came before, where the
    service knows one by its id.
    """

    account: str
    delivery_id: str
    reference: str
    answer: Response
    shown: Shown
    reports: tuple[Report, ...] = ()
    again: Response | None = None

    def call(self, provider: Provider, at: float, *, repeated: bool) -> Call:
        """What the journal keeps of it."""
        return Call(
            at=at,
            provider=provider,
            account=self.account,
            delivery_id=self.delivery_id,
            to=self.shown.to,
            reference=self.reference,
            repeated=repeated,
            summary=(self.shown.subject or self.shown.text)[:SUMMARY],
        )


class StandIn(Protocol):
    """One service, as seen by those who call it."""

    provider: Provider

    def take(self, path: str, incoming: Incoming, at: float) -> Accepted | Response:
        """Judge a request as the service does; a plain `Response` refuses it. `path` follows the mount point."""
        ...

    def failure(self, status: int, retry_after: float | None) -> Response:
        """An outage (429 or 500) in the service's own form; `retry_after` is in seconds."""
        ...


class Caller(Protocol):
    """A service that calls back. `together`: several reports to one URL travel in one request."""

    provider: Provider
    together: bool

    def request(self, url: str, events: Sequence[Mapping[str, Any]], at: float) -> Request:
        """A signed callback, sent at `at`. `events` is one when they do not travel together."""
        ...


class References:
    """Gives ids of 32 hexadecimal digits that no other process gives, without asking the system for each."""

    def __init__(self) -> None:
        self._start, self._count = secrets.token_hex(8), itertools.count()

    def next(self) -> str:
        """One that was not given before."""
        return f"{self._start}{next(self._count):016x}"


def split_account(path: str, default: str, known: str) -> tuple[str, str]:
    """`[account/]rest` as (account, rest): a second account of one service is told apart by a path segment.

    `known` is the first segment of the service's own paths.
    """
    head, _, rest = path.partition("/")
    return (default, path) if head == known else (head, rest)


def retry_header(retry_after: float | None) -> dict[str, str]:
    """`Retry-After` in whole seconds, when the script asks for it."""
    return {} if retry_after is None else {"retry-after": str(round(retry_after))}
