"""Which addresses a channel has for a person, and which accounts may carry it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from angarium.model.channels import DEVICES
from angarium.model.reasons import Reason
from angarium.model.user import Address, Person


class Account(Struct, frozen=True):
    """What deciding needs to know of a configured account."""

    name: str
    channels: tuple[str, ...]
    idempotent: bool = False
    receipts: bool = False


class Accounts(Struct, frozen=True):
    """The configured accounts, and the failover order of each channel."""

    by_name: Mapping[str, Account]
    by_channel: Mapping[str, tuple[str, ...]]

    def order(self, channel: str, failed: str | None = None) -> tuple[str, ...]:
        """The accounts to try, best first; the one that definitely failed comes last."""
        names = self.by_channel.get(channel, ())
        if failed not in names:
            return names
        start = names.index(failed) + 1
        return names[start:] + names[:start]

    def same(self, channel: str, account: str | None) -> tuple[str, ...]:
        """The account that may have sent it already, alone: another one would surely make it two."""
        names = self.by_channel.get(channel, ())
        return (account,) if account is not None and account in names else names

    def reports(self, channel: str, account: str | None) -> bool:
        """Whether "delivered" will be told, so that "sent" alone does not count as reached."""
        name = account or next(iter(self.by_channel.get(channel, ())), None)
        return name is not None and name in self.by_name and self.by_name[name].receipts

    def reconcile(self, account: str | None, wait: float) -> float:
        """Seconds an unknown outcome waits for a callback: none when repeats are harmless or nobody calls."""
        known = self.by_name.get(account or "")
        return wait if known is None or (known.receipts and not known.idempotent) else 0.0


def slots(person: Person, channel: str) -> Sequence[tuple[str, Address]]:
    """(suffix, address) for every place `channel` reaches: `:device_id` for devices, an empty suffix otherwise."""
    devices = [
        (f":{device.id}", Address(channel, device.address, device.id, device.secret, device.platform))
        for device in person.devices
        if device.channel == channel
    ]
    if devices:
        return devices
    value = _own(person, channel)
    secret = person.webhook_secret if channel == "webhook" else None
    return [("", Address(channel, value, secret=secret))] if value else []


def missing(channel: str) -> Reason:
    """Why there is nowhere to send to."""
    return Reason.no_device if channel in DEVICES else Reason.no_address


def _own(person: Person, channel: str) -> str | None:
    match channel:
        case "email":
            return person.email
        case "sms" | "voice":
            return person.phone
        case "webhook":
            return person.webhook
        case "inbox":
            return person.id
        case _:
            return None
