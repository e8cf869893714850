"""The console: messages as blocks of text."""

from __future__ import annotations

import io

import pytest

from angarium.model.message import Email, Hook, Item, Message, Sms
from angarium.model.result import Sent
from angarium.ports.provider import Tools
from angarium.providers import console
from angarium.testing.contracts.provider import NoDatabase, Still
from angarium.testing.transport import ScriptedTransport

TOOLS = Tools(
    http=ScriptedTransport(),
    database=NoDatabase(),
    clock=Still(),
    account="console",
    public_url="https://relay.example",
)
RULE = "--- dlv_1 " + "-" * 62 + "\n"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            Email(id="dlv_1", to="ann@example.com", sender="Shop <s@example.com>", subject="Hi", text="One\nTwo\n"),
            "email: ann@example.com\nfrom: Shop <s@example.com>\nsubject: Hi\n\nOne\nTwo\n\n",
        ),
        (Email(id="dlv_1", to="ann@example.com", subject="", text="One"), "email: ann@example.com\n\nOne\n\n"),
        (Sms(id="dlv_1", to="+15005550006", text="One"), "sms: +15005550006\n\nOne\n\n"),
        (
            Hook(id="dlv_1", url="https://a.example", body=b'{"a":"\xff"}'),
            'webhook: https://a.example\n\n{"a":"\ufffd"}\n\n',
        ),
        (Item(id="dlv_1", user="ann", title="Hi", url="/o", body="One"), "inbox: ann\ntitle: Hi\nurl: /o\n\nOne\n\n"),
    ],
)
def test_a_message_is_a_rule_its_head_and_its_text(message: Message, shown: str) -> None:
    assert console.block(message) == RULE + shown


def test_a_message_cannot_steer_the_terminal_nor_pretend_a_line_of_its_head() -> None:
    block = console.block(Email(id="dlv_1", to="a\nfrom: eve", subject="\x1b[2J", text="\x9b1A\rgone\ttab\x07"))
    assert block == RULE + "email: a\\nfrom: eve\nsubject: \\x1b[2J\n\n\\x9b1A\\x0dgone\ttab\\x07\n\n"


async def test_a_block_goes_to_the_stream_in_one_write() -> None:
    class Stream(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            return super().write(text)

    stream = Stream()
    sms = Sms(id="dlv_1", to="+15005550006", text="Hello")
    assert await console.Provider(console.Provider.Settings(), TOOLS, stream).send(sms) == Sent("dlv_1")
    assert stream.getvalue() == console.block(sms)
    assert stream.writes == 1


@pytest.mark.parametrize("name", ["stdout", "stderr"])
async def test_without_a_stream_the_settings_choose_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = console.Provider.Settings(stream="stdout" if name == "stdout" else "stderr")
    await console.Provider(settings, TOOLS).send(Sms(id="dlv_1", to="+15005550006", text="Hello"))
    printed = capsys.readouterr()
    assert "Hello" in getattr(printed, name.removeprefix("std"))
    assert printed.out == "" or printed.err == ""
