"""All content of a release, and how a hand-over becomes a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec
from msgspec import Struct

from angarium.content import email, inbox, sms, webhook
from angarium.content.scene import Desk, Render, Scene
from angarium.content.templates import Templates, Unrenderable
from angarium.expressions import Expressions
from angarium.model.delivery import Handover
from angarium.model.message import Message
from angarium.model.reasons import Reason
from angarium.model.workflow import Workflow

#: A file a channel: `prepare(desk)` checks and compiles its table.
CHANNELS: Mapping[str, Callable[[Desk], Render]] = {
    "email": email.prepare,
    "sms": sms.prepare,
    "webhook": webhook.prepare,
    "inbox": inbox.prepare,
}


class _Seen(Struct, frozen=True, gc=False):
    """The part of an event that content may look at."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    data: Any = None


_EVENT = msgspec.json.Decoder(_Seen)
_PERSON = msgspec.json.Decoder()


class Content:
    """Renders messages. Made by `build`; holds nothing of any message."""

    def __init__(self, renders: Mapping[tuple[str, str, str], Render]) -> None:
        self._renders = renders

    def message(self, handover: Handover, *, tag: str, callback_url: str, deadline: float) -> Message:
        """The message of one delivery. `deadline` is Unix seconds. Raises `Unrenderable`, which no retry helps."""
        render = self._find(handover.workflow, handover.content or "", handover.channel)
        return render(Scene(handover, _context(handover), tag, callback_url, deadline))

    def _find(self, workflow: str, variant: str, channel: str) -> Render:
        """The variant's own table, else the workflow's."""
        found = self._renders.get((workflow, variant, channel)) or self._renders.get((workflow, "", channel))
        if found is None:
            raise Unrenderable(Reason.content_missing, f"workflow {workflow}", f"has nothing to say over {channel}")
        return found


def build(
    workflows: Iterable[Workflow],
    files: Mapping[str, bytes],
    expressions: Expressions | None = None,
    caught: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Content:
    """Check and compile every content table of these workflows. `files` holds `templates/...` by path.

    Raises `Invalid` at the first mistake; `caught` may keep it instead and let the rest be looked at.
    """
    templates, evaluator = Templates(files), expressions or Expressions()
    renders: dict[tuple[str, str, str], Render] = {}
    for workflow in workflows:
        for variant, tables in workflow.content.items():
            # A webhook can always be sent: the event itself is its body.
            complete = tables if variant else {"webhook": {}, **tables}
            for channel, table in complete.items():
                place = f"content.{variant}.{channel}" if variant else channel
                desk = Desk(table, f"workflows/{workflow.name}.toml: {place}", templates, evaluator)
                with caught():
                    renders[workflow.name, variant, channel] = CHANNELS[channel](desk)
    return Content(renders)


def _context(handover: Handover) -> dict[str, Any]:
    """What templates see. The event's bytes are decoded once, here."""
    try:
        event = _EVENT.decode(handover.event)
        person = _PERSON.decode(handover.person)
    except msgspec.MsgspecError:
        raise Unrenderable(Reason.invalid_content, "the event", "cannot be read") from None
    return {
        "data": event.data,
        "event": {
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "time": event.time,
        },
        "user": {**(person if isinstance(person, dict) else {}), "id": handover.user},
        "delivery_id": handover.delivery,
    }
