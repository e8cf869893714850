"""What a delivery service answered: exactly one of four, never a bool."""

from __future__ import annotations

from msgspec import Struct

from angarium.model.reasons import Reason


class Sent(Struct, frozen=True, gc=False, tag_field="result", tag="sent"):
    """The service took it. `reference` is its own id for the message."""

    reference: str = ""


class Retry(Struct, frozen=True, gc=False, tag_field="result", tag="retry"):
    """Definitely not sent, and another try may help. `after`: seconds the service asks us to wait."""

    reason: Reason
    after: float | None = None


class Rejected(Struct, frozen=True, gc=False, tag_field="result", tag="rejected"):
    """Definitely not sent, and no other try will help."""

    reason: Reason


class Unknown(Struct, frozen=True, gc=False, tag_field="result", tag="unknown"):
    """It may have been sent: bytes were written and no readable answer came."""

    reason: Reason


Result = Sent | Retry | Rejected | Unknown
