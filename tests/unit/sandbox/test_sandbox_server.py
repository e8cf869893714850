"""The server below the sandbox, on both loops."""

from __future__ import annotations

import asyncio
import re

import pytest

from angarium.errors import Misconfigured
from angarium.ports.transport import Response
from angarium.sandbox.server import MAX_BODY, Incoming, Reply, listening


def echo(incoming: Incoming, reply: Reply) -> None:
    reply.send(Response(status=200, body=incoming.path.encode() + b"|" + incoming.body))


async def test_a_reset_closes_with_rst_and_not_with_an_end() -> None:
    async with listening(lambda incoming, reply: reply.reset(), "127.0.0.1", 0) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nconnection: close\r\n\r\n", [b"200 /a|", b"200 /b|"]),
        (b"POST /c HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi", [b"200 /c|hi"]),
        (
            b"POST /d HTTP/1.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            b"2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n",
            [b"200 /d|hi!"],
        ),
        (b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (MAX_BODY + 1) + b"x" * (MAX_BODY + 1), [b"413 "]),
        (b"GET / HTTP/1.1\r\nlong: " + b"x" * 40_000 + b"\r\n\r\n", [b"431 "]),
        (b"GET / HTTP/1.1\r\n\r\n" * 100, [b"429 "]),
        (b"what is this\r\n\r\n", [b"400 "]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [b"400 "]),
    ],
)
async def test_the_server_answers_in_order_and_refuses_what_it_cannot_read(sent: bytes, answers: list[bytes]) -> None:
    async with listening(echo, "127.0.0.1", 0) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(sent)
        received = await asyncio.wait_for(reader.read(), 5)
        writer.close()

    found = re.findall(rb"HTTP/1.1 (\d+ ).*?\r\n\r\n(.*?)(?=HTTP/1.1 |$)", received, re.DOTALL)
    assert [status + body for status, body in found] == answers


async def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    async with listening(echo, "127.0.0.1", 0) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")

        assert (await reader.read()).endswith(b"\r\n\r\n/|hi")
        writer.close()


async def test_a_port_that_is_taken_is_named_as_the_setting_to_change() -> None:
    async with listening(echo, "127.0.0.1", 0) as url:
        with pytest.raises(Misconfigured, match=r"sandbox\.listen"):
            async with listening(echo, "127.0.0.1", int(url.rpartition(":")[2])):
                pass
