"""The in-app inbox: a row in our own table. A second write of the same delivery changes nothing."""

from __future__ import annotations

from angarium.database.inbox import store
from angarium.errors import Unavailable
from angarium.model.message import Item, Message
from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Result, Retry, Sent
from angarium.ports.provider import Tools
from angarium.providers import Account


class Provider:
    """The inbox of this installation. `seen` and `read` come from the person's own device, not by callback."""

    channels: tuple[str, ...] = ("inbox",)
    idempotent = True
    receipts = False

    class Settings(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """Nothing of its own; `base_url`, `timeout` and `ca_file` are not used."""

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._tools = tools

    async def send(self, message: Message) -> Result:
        """Store one entry, keyed by the delivery; the delivery's id is the reference."""
        if not isinstance(message, Item):
            return Rejected(Reason.invalid_content)
        try:
            await self._tools.database.write(store, [message], self._tools.clock.now())
        except Unavailable:
            return Retry(Reason.unavailable)
        return Sent(message.id)
