"""The console: every message as a readable block on the terminal. For first steps and development; nothing leaves."""

from __future__ import annotations

import re
import sys
from typing import Literal, TextIO

from angarium.model.message import Email, Hook, Item, Message, Sms
from angarium.model.result import Result, Sent
from angarium.ports.provider import Tools
from angarium.providers import Account

#: Characters that steer a terminal: all controls but tab and line feed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Provider:
    """Writes to a stream, by default the one that the settings name."""

    channels: tuple[str, ...] = ("email", "sms", "webhook", "push", "chat", "voice")
    idempotent = False
    receipts = False

    class Settings(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
        """`stream` is where the blocks go; the settings of a network call are not used."""

        stream: Literal["stdout", "stderr"] = "stdout"

    def __init__(self, settings: Settings, tools: Tools, stream: TextIO | None = None) -> None:
        self.stream = stream or (sys.stdout if settings.stream == "stdout" else sys.stderr)

    async def send(self, message: Message) -> Result:
        """Print it, in one write, so that two blocks never mix; the delivery's id is the reference."""
        self.stream.write(block(message))
        self.stream.flush()
        return Sent(message.id)


def block(message: Message) -> str:
    """The message as lines: a rule with the delivery's id, what it is and for whom, an empty line, its text."""
    lines, text = _shown(message)
    head = [f"--- {message.id} ".ljust(72, "-"), *(f"{name}: {_flat(value)}" for name, value in lines if value)]
    return _visible("\n".join([*head, "", text.rstrip("\n"), ""])) + "\n"


def _shown(message: Message) -> tuple[list[tuple[str, str]], str]:
    """Named values, and the text below them."""
    match message:
        case Email():
            return [("email", message.to), ("from", message.sender), ("subject", message.subject)], message.text
        case Sms():
            return [("sms", message.to)], message.text
        case Hook():
            return [("webhook", message.url)], message.body.decode("utf-8", "replace")
        case Item():
            return [("inbox", message.user), ("title", message.title), ("url", message.url)], message.body


def _flat(text: str) -> str:
    """One line: a value cannot pretend to be the next one."""
    return text.replace("\n", "\\n")


def _visible(text: str) -> str:
    """Control characters as escapes, so that a message cannot steer the terminal."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
