"""Publishing what was decided: again and again while the broker is away, and around a record it will never take."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from angarium.database import dead
from angarium.database.engine import Database
from angarium.errors import Refused
from angarium.model.fact import Dropped
from angarium.model.reasons import Reason, Status
from angarium.pipeline import records
from angarium.pipeline.handler import letter
from angarium.pipeline.insist import Insistence
from angarium.pipeline.records import Undecodable, encode
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Broker, Record
from angarium.ports.clock import Clock
from angarium.telemetry.metrics import Metrics


class Stores(msgspec.Struct, frozen=True):
    """What every worker is given."""

    broker: Broker
    database: Database
    clock: Clock
    metrics: Metrics
    topics: Topics


async def publish(stores: Stores, insist: Insistence, batch: Sequence[Record]) -> None:
    """Return when all are durable, but those that the broker refuses: they must not hold up the others."""
    if not batch:
        return
    try:
        await insist(stores.broker.publish, batch)
    except Refused:
        for record in batch:
            await _publish_one(stores, insist, record)


async def _publish_one(stores: Stores, insist: Insistence, record: Record) -> None:
    """Publish, or bury; a hand-over that cannot be made is told to its notification."""
    try:
        await insist(stores.broker.publish, [record])
    except Refused as error:
        found = letter(record, Reason.refused_by_broker, error.reason, stores.clock.now())
        await insist(stores.database.write, dead.save, [found])
        stores.metrics.dead(found.reason)
        if (told := _undeliverable(stores, record)) is not None:
            await insist(stores.broker.publish, [told])


def _undeliverable(stores: Stores, record: Record) -> Record | None:
    """The fact that a hand-over was refused, if that is what the record is."""
    if ".deliver." not in record.topic:
        return None
    try:
        handover = records.handover(record.value)
    except Undecodable:
        return None
    fact = Dropped(
        notification=handover.notification,
        at=stores.clock.now(),
        delivery=handover.delivery,
        try_=handover.try_,
        status=Status.failed,
        reason=Reason.refused,
    )
    return Record(stores.topics.journal(handover.priority), handover.notification, encode(fact))
