"""What leaves the Dispatcher: hand-overs for the Senders, and the public status of each delivery."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from angarium.model import times
from angarium.model.category import Category
from angarium.model.delivery import Delivery, Handover
from angarium.model.notification import Notification
from angarium.model.reasons import Status
from angarium.pipeline.records import encode
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Record

#: Nobody outside needs to hear of these: they last milliseconds and are followed by another.
SILENT = frozenset({Status.planned, Status.sending})


def handover(
    delivery: Delivery,
    notification: Notification,
    person: Raw,
    content: str | None,
    category: Category,
    accounts: tuple[str, ...],
    topics: Topics,
) -> Record:
    """The record that makes a Sender do try `delivery.try_`."""
    if delivery.address is None:
        raise AssertionError("a delivery without an address is never handed over")
    value = Handover(
        delivery=delivery.id,
        notification=notification.id,
        run=notification.run,
        tenant=notification.tenant,
        user=delivery.user,
        try_=delivery.try_,
        channel=delivery.channel,
        step=delivery.step,
        slot=delivery.slot,
        workflow=notification.workflow,
        release=notification.release,
        content=content,
        category=notification.category,
        priority=notification.priority,
        on_unknown=category.on_unknown,
        to=delivery.address,
        locale=notification.locale,
        person=person,
        event=notification.event,
        accounts=accounts,
        expires=delivery.expires,
        accepted=notification.accepted,
    )
    return Record(topics.deliver(delivery.channel, notification.priority), notification.id, encode(value))


def status(delivery: Delivery, notification: Notification, topics: Topics, at: float) -> Record:
    """A structured CloudEvent `angarium.delivery.<status>.v1`; its id makes a repetition the same event."""
    event = {
        "specversion": "1.0",
        "id": f"{delivery.id}.{delivery.version}",
        "source": "/angarium",
        "type": f"angarium.delivery.{delivery.status}.v1",
        "subject": delivery.user,
        "time": times.text(at),
        "datacontenttype": "application/json",
        "angtenant": delivery.tenant,
        "data": resource(delivery, notification),
    }
    return Record(topics.status, delivery.user, msgspec.json.encode(event))


def resource(delivery: Delivery, notification: Notification) -> dict[str, Any]:
    """A delivery as everybody may see it: no address."""
    return {
        "id": delivery.id,
        "notification": delivery.notification,
        "run": delivery.run,
        "user": delivery.user,
        "workflow": notification.workflow,
        "category": notification.category,
        "step": delivery.step,
        "slot": delivery.slot,
        "channel": delivery.channel,
        "account": delivery.account,
        "status": delivery.status.value,
        "try": delivery.try_,
        "reason": delivery.reason.value if delivery.reason else None,
        "version": delivery.version,
    }
