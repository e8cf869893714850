"""One try: what a Sender makes of it, and the facts that tell how it went."""

from __future__ import annotations

import logging
from typing import Any

from msgspec import Struct, structs

from angarium.content import Unrenderable
from angarium.model.delivery import Handover
from angarium.model.fact import Behind, Deferred, Dropped, Fact, RejectedFact, SentFact, UnknownFact
from angarium.model.message import Message
from angarium.model.reasons import Reason, Status
from angarium.model.result import Rejected, Result, Retry, Sent, Unknown
from angarium.pipeline.accounts import LiveAccount, unreadable
from angarium.ports.broker import Record
from angarium.ports.clock import Clock
from angarium.project import Release
from angarium.signing import reference

log = logging.getLogger(__name__)


class Try(Struct, frozen=True):
    """A record with its hand-over, the release that planned it, and the account that is to carry it."""

    record: Record
    handover: Handover
    release: Release
    account: LiveAccount


class Unsendable(Struct, frozen=True):
    """There is no message to send, so the answer is definite. `detail` names the place in the project."""

    result: Rejected | Retry
    detail: str = ""


def message(t: Try, secret: bytes, public_url: str, now: float) -> Message | Unsendable:
    """The try rendered for its channel, or why not."""
    h = t.handover
    ref = reference(secret, h.delivery, h.notification, h.priority, t.account.name)
    callback = f"{public_url}/v1/callbacks/{t.account.name}?delivery_id={h.delivery}&ref={ref}"
    try:
        return t.release.content.message(h, tag=ref, callback_url=callback, deadline=now + t.account.timeout)
    except Unrenderable as error:
        log.warning("a message cannot be rendered: %s", error, extra={"delivery": h.delivery})
        return Unsendable(Rejected(error.reason), str(error))
    except Exception:
        log.exception("rendering failed", extra={"delivery": h.delivery})
        return Unsendable(Retry(Reason.provider_error))


async def call(t: Try, rendered: Message) -> Result:
    """The account's answer. A provider's defect is this delivery's alone: the one broad `except` around a call."""
    try:
        return await t.account.call(rendered)
    except Exception:
        log.exception("a provider failed", extra={"account": t.account.name, "delivery": t.handover.delivery})
        return unreadable()


class Reporter:
    """Makes the facts about tries, all as of now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def unsendable(self, handover: Handover, account: str, token: int, why: Unsendable) -> Fact:
        """Nothing could be sent."""
        fact = self.answered(handover, account, token, why.result)
        return structs.replace(fact, detail=why.detail) if isinstance(fact, RejectedFact) else fact

    def answered(self, handover: Handover, account: str, token: int, result: Result, ms: float = 0.0) -> Fact:
        """What a service answered, or that nobody knows."""
        about = {**self._about(handover), "token": token, "account": account}
        match result:
            case Sent(ref):
                return SentFact(**about, reference=ref, ms=ms)
            case Retry(reason, after):
                return Deferred(**about, reason=reason, after=after)
            case Rejected(reason):
                return RejectedFact(**about, reason=reason)
            case Unknown(reason):
                return UnknownFact(**about, reason=reason)

    def busy(self, handover: Handover, seconds: float) -> Fact:
        """Not now: the same try comes back after `seconds`, and no try is used up."""
        return Deferred(**self._about(handover), reason=Reason.busy, after=max(seconds, 0.001))

    def dropped(self, handover: Handover, status: Status, reason: Reason) -> Fact:
        """Not at all."""
        return Dropped(**self._about(handover), status=status, reason=reason)

    def behind(self, handover: Handover, try_: int, answer: Result | None) -> Fact:
        """The state knows more than the ledger that made this hand-over."""
        return Behind(**{**self._about(handover), "try_": try_}, answer=answer)

    def _about(self, h: Handover) -> dict[str, Any]:
        at = self._clock.now()
        return {"notification": h.notification, "at": at, "delivery": h.delivery, "try_": h.try_}
