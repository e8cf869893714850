"""The one way in which a call fails."""

from __future__ import annotations

from angarium.errors import AngariumError
from angarium.model.reasons import Reason


class CallFailed(AngariumError):
    """No readable answer came. `written` says whether any byte of the request was handed to the socket.

    Without a written byte the message is certainly not sent. With one, nobody knows. The text names no address, so that
    a tenant who reads it learns nothing about a network behind us.
    """

    def __init__(self, reason: Reason, *, written: bool) -> None:
        self.reason, self.written = reason, written
        super().__init__(f"{reason} {'after' if written else 'before'} the request was written")
