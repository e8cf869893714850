"""Webhooks: a JSON body, the event's own unless the workflow names another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from angarium.content.scene import Desk, Render, Scene, known
from angarium.content.templates import Unrenderable
from angarium.model.message import Hook
from angarium.model.reasons import Reason

KEYS = ("body",)
#: Bytes of a body.
LARGEST = 1 << 20


def prepare(desk: Desk) -> Render:
    """What renders one `webhook` table; an empty one gives the default body. Raises `Invalid`."""
    known(desk, KEYS)
    tree = desk.tree("body") if "body" in desk.table else None

    def render(scene: Scene) -> Hook:
        value = _default(scene) if tree is None else desk.resolved(tree, "body", scene.context)
        body = desk.encoded(value, "body")
        if len(body) > LARGEST:
            raise Unrenderable(Reason.too_large, f"{desk.where}.body", f"is larger than {LARGEST} bytes")
        to = scene.handover.to
        return Hook(
            id=scene.handover.delivery,
            url=to.value,
            secrets=(to.secret,) if to.secret else (),
            body=body,
            tag=scene.tag,
            deadline=scene.deadline,
        )

    return render


class _Data(msgspec.Struct, frozen=True):
    """The event's data as the bytes that came."""

    data: Raw = Raw(b"null")


def _default(scene: Scene) -> dict[str, Any]:
    """The payload that Standard Webhooks recommends (type, timestamp, data), and the delivery's id."""
    event = scene.context["event"]
    accepted = datetime.fromtimestamp(scene.handover.accepted, UTC).isoformat().replace("+00:00", "Z")
    return {
        "type": event["type"],
        "id": scene.handover.delivery,
        "timestamp": event["time"] or accepted,
        "data": msgspec.json.decode(scene.handover.event, type=_Data).data,
    }
