"""The client against servers that break every rule: each call ends in time, told rightly, and leaves nothing."""

from __future__ import annotations

import asyncio
import gzip
from itertools import count

import pytest

from angarium.transport.reading import BODY_BYTES, HEAD_BYTES
from tests.unit.transport.hostile import ANSWER, Peer, Script, answering, ask, fail, outcome, stage, until

#: Seconds: long enough to connect on a busy machine.
DEADLINE = 0.3
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("end", ["reset", "close"])
@pytest.mark.parametrize("answer", [ANSWER, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"], ids=["length", "chunked"])
async def test_a_connection_that_ends_at_any_byte_of_an_answer_leaves_the_outcome_unknown(
    answer: bytes, end: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer[: peer.number - 1])
        if end == "reset":
            peer.reset()
        else:
            await peer.close()

    async with stage(script) as (http, server):
        for _ in range(len(answer)):
            assert await fail(http, server.url) == ("reset_after_write", True)
        await server.abandoned()


async def test_a_reset_inside_a_body_without_length_is_not_its_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"\r\nhel")
        await sent.wait()
        peer.reset()

    sent = asyncio.Event()
    async with stage(script) as (http, server):
        call = asyncio.create_task(fail(http, server.url))
        asyncio.get_running_loop().call_later(0.02, sent.set)
        assert await call == ("reset_after_write", True)


async def test_a_server_that_closes_its_half_without_an_answer_has_reset() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.half_close()

    async with stage(script) as (http, server):
        assert await fail(http, server.url) == ("reset_after_write", True)
        await server.abandoned()


async def silent(peer: Peer) -> None:
    """Reads and never answers."""
    await peer.gone()


async def loris(peer: Peer) -> None:
    """Sends a byte now and then, always in time for a deadline per read."""
    await peer.request()
    for byte in OK + b"x-slow: " + b"a" * 1000:
        await peer.send(bytes([byte]))
        await asyncio.sleep(0.01)


async def loris_in_the_body(peer: Peer) -> None:
    await peer.request()
    await peer.send(OK + b"content-length: 1000\r\n\r\n")
    for _ in range(1000):
        await peer.send(b"a")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("script", [silent, loris, loris_in_the_body])
async def test_the_deadline_holds_for_the_whole_call(script: Script) -> None:
    async with stage(script) as (http, server):
        assert await fail(http, server.url, timeout=DEADLINE) == ("timeout", True)
        await server.abandoned()


def endless(head: bytes, piece: bytes) -> Script:
    """Sends `piece` again and again, for as long as the client listens."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head)
        while True:
            await peer.send(piece * (10_000 // len(piece)))

    return script


@pytest.mark.parametrize(
    "script",
    [
        endless(CHUNKED, b"5\r\nhello\r\n"),
        endless(OK + b"\r\n", b"hello"),
        endless(OK + b"content-length: 10000000000\r\n\r\n", b"hello"),
    ],
    ids=["chunks", "no length", "a length of 10 GB"],
)
async def test_an_endless_body_is_cut_and_its_connection_closed(script: Script) -> None:
    async with stage(script) as (http, server):
        response = await ask(http, server.url)
        assert (len(response.body), response.truncated) == (BODY_BYTES, True)
        await server.abandoned()


@pytest.mark.parametrize(("size", "truncated"), [(BODY_BYTES, False), (BODY_BYTES + 1, True)])
async def test_the_cap_of_a_body_is_exact(size: int, truncated: bool) -> None:
    async with stage(answering(OK + b"content-length: %d\r\n\r\n" % size + b"a" * size)) as (http, server):
        response = await ask(http, server.url)
        assert (len(response.body), response.truncated) == (BODY_BYTES, truncated)
        assert len(http.pool.idle) == (not truncated)


@pytest.mark.parametrize(
    "script",
    [
        endless(OK, b"x-a: %s\r\n" % (b"a" * 100)),
        endless(OK + b"x-a: ", b"a"),
        endless(OK, b"a"),
        endless(b"", b"\r\n"),
        endless(b"HTTP/1.1 200 ", b"O"),
        endless(CHUNKED + b"0\r\n", b"x-a: %s\r\n" % (b"a" * 100)),
        endless(CHUNKED + b"0\r\nx-a: ", b"a"),
        endless(CHUNKED + b"5;", b"a"),
        endless(b"", b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["headers", "value", "name", "empty lines", "status text", "trailers", "trailer", "extension", "103", "100"],
)
async def test_an_endless_head_is_garbage(script: Script) -> None:
    async with stage(script) as (http, server):
        assert await fail(http, server.url) == ("garbage", True)
        await server.abandoned()


@pytest.mark.parametrize(("size", "passes"), [(HEAD_BYTES, True), (HEAD_BYTES + 1, False)])
async def test_the_cap_of_a_head_is_exact_however_it_is_cut(size: int, passes: bool) -> None:
    fields = b"content-length: 0\r\n"
    head = OK + fields + b"x-a: " + b"a" * (size - len(fields) - len("x-a: \r\n")) + b"\r\n\r\n"
    async with stage(answering(head)) as (http, server):
        if passes:
            assert (await ask(http, server.url)).status == 200
        else:
            assert await fail(http, server.url) == ("garbage", True)


@pytest.mark.parametrize(("number", "passes"), [(10, True), (11, False)])
async def test_ten_interim_answers_are_enough(number: int, passes: bool) -> None:
    async with stage(answering(b"HTTP/1.1 102 Processing\r\n\r\n" * number + ANSWER)) as (http, server):
        if passes:
            assert (await ask(http, server.url)).body == b"hello"
        else:
            assert await fail(http, server.url) == ("garbage", True)


async def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(100_000_000), compresslevel=1)
    answer = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb
    async with stage(answering(answer)) as (http, server):
        response = await ask(http, server.url)
        assert (response.body, response.truncated) == (bomb[:BODY_BYTES], True)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"content-length: -5\r\n\r\nhello",
        OK + b"content-length: 5, 6\r\n\r\nhello",
        OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        OK + b"content-length: 99999999999999999999999\r\n\r\nhello",
        OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"transfer-encoding: gzip\r\n\r\nhello",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\nhello",
        CHUNKED + b"zz\r\nhello",
        CHUNKED + b"-5\r\nhello",
        CHUNKED + b"fffffffffffffffffff\r\nhello",
        CHUNKED + b"5\r\nhello!!\r\n0\r\n\r\n",
        OK + b"x-a : 1\r\n\r\n",
        OK + b"x-a: 1\r\n folded\r\n\r\n",
        OK + b"x\x00a: 1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + ANSWER,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"220 mail.example.com ESMTP\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"<html>hello</html>",
    ],
)
async def test_what_is_no_answer_is_garbage(answer: bytes) -> None:
    async with stage(answering(answer)) as (http, server):
        assert await fail(http, server.url) == ("garbage", True)
        await server.abandoned()


async def test_a_length_too_long_waits_for_the_deadline_and_one_too_short_ends_the_connection() -> None:
    async with stage(answering(OK + b"content-length: 9\r\n\r\nhello")) as (http, server):
        assert await fail(http, server.url, timeout=DEADLINE) == ("timeout", True)
    async with stage(answering(OK + b"content-length: 2\r\n\r\nhello")) as (http, server):
        assert (await ask(http, server.url)).body == b"he"
        await server.abandoned()


async def test_a_server_that_does_not_read_cannot_hold_a_large_body_past_the_deadline() -> None:
    released = asyncio.Event()

    async def script(peer: Peer) -> None:
        await released.wait()

    async with stage(script) as (http, server):
        assert await fail(http, server.url, body=b"x" * 20_000_000, timeout=0.5) == ("timeout", True)
        await until(lambda: not http.pool.open)
        released.set()


async def test_many_calls_at_once_to_a_server_that_breaks_now_and_then_all_end() -> None:
    numbers = count()

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            match next(numbers) % 4:
                case 0:
                    return peer.reset()
                case 1:
                    await peer.send(b"garbage\r\n\r\n")
                case _:
                    await peer.send(ANSWER)

    async with stage(script) as (http, server):
        ends = await asyncio.gather(*[outcome(http, server.url) for _ in range(100)])
        assert set(ends) == {"200", "garbage", "reset_after_write"}
        await until(lambda: len(http.pool.open) == len(http.pool.idle))
