"""What a role of the pipeline is to the worker that runs it: reads, a pure decision, and effects as data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from angarium.database import Connection, dead
from angarium.database.dead import DeadLetter
from angarium.model.ids import dead_id, digest
from angarium.model.reasons import Reason
from angarium.ports.broker import Batch, Record

G = TypeVar("G")


class Write(Struct, frozen=True):
    """One set-based write, performed as `query(connection, *rows)`."""

    query: Callable[..., None]
    rows: tuple[Any, ...]


class Outcome(Struct, frozen=True):
    """The effects of a batch, performed in this order: `save` in one transaction, `publish`, then the commit.

    `after` is written at leisure once `publish` is durable. `dead` are letters for records that cannot be handled.
    `counts` are (method of `Metrics`, arguments), told when the outcome stands.
    """

    save: tuple[Write, ...] = ()
    publish: tuple[Record, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    after: tuple[Write, ...] = ()
    counts: tuple[tuple[str, tuple[Any, ...]], ...] = ()


class Handler(Protocol[G]):
    """A role. `gather` and the saves share one transaction, so what was decided upon is what is still there."""

    def gather(self, connection: Connection, batch: Batch) -> G:
        """Read, in one trip a table, and lock, all that the decision needs."""
        ...

    def decide(self, batch: Batch, gathered: G) -> Outcome:
        """Pure: the same batch and reads give the same outcome."""
        ...


def perform(connection: Connection, handler: Handler[Any], batch: Batch, late: Sequence[Write]) -> Outcome:
    """The transaction of a batch: what is left of the last one, then gather, decide, save."""
    for write in late:
        write.query(connection, *write.rows)
    outcome = handler.decide(batch, handler.gather(connection, batch))
    for write in outcome.save:
        write.query(connection, *write.rows)
    if outcome.dead:
        dead.save(connection, outcome.dead)
    return outcome


def letter(record: Record, reason: Reason, detail: str, now: float, tenant: str = "default") -> DeadLetter:
    """The dead letter of a record. One that was never stored has no place, so its content names it."""
    name = dead_id(record.topic, record.partition, record.offset)
    if record.offset < 0:
        name = "dead_" + digest(record.topic, record.key, hashlib.blake2b(record.value).hexdigest())
    return DeadLetter(
        id=name,
        tenant=tenant,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        reason=reason,
        detail=detail,
        at=now,
    )
