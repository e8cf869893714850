"""The names of our topics in one namespace."""

from __future__ import annotations

from msgspec import Struct

from angarium.model.channels import CHANNELS
from angarium.model.reasons import Priority


class Topics(Struct, frozen=True):
    """`env` keeps two installations on one broker apart."""

    env: str = "dev"

    def events(self, priority: Priority) -> str:
        """What came in; keyed by recipient or subject."""
        return f"angarium.{self.env}.events.{priority}"

    def journal(self, priority: Priority) -> str:
        """Every fact about every notification; keyed by notification."""
        return f"angarium.{self.env}.journal.{priority}"

    def deliver(self, channel: str, priority: Priority) -> str:
        """Hand-overs to the Senders of one channel; keyed by notification."""
        return f"angarium.{self.env}.deliver.{channel}.{priority}"

    @property
    def status(self) -> str:
        """Public: one CloudEvent a change of a delivery; keyed by user."""
        return f"angarium.{self.env}.status"

    @property
    def dead(self) -> str:
        """What no worker could handle, byte for byte."""
        return f"angarium.{self.env}.dead"

    def every(self, channels: tuple[str, ...] = CHANNELS) -> tuple[str, ...]:
        """All of them, for `prepare`."""
        lanes = [self.deliver(channel, priority) for channel in channels for priority in Priority]
        return (*map(self.events, Priority), *map(self.journal, Priority), *lanes, self.status, self.dead)
