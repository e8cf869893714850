"""The channels: how a person can be reached."""

from __future__ import annotations

CHANNELS = ("email", "sms", "push", "webpush", "chat", "voice", "webhook", "inbox")

#: Channels that reach a registered device rather than an address of the person.
DEVICES = frozenset({"push", "webpush"})
