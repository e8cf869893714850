"""The client against servers that keep the rules: framing, reuse, and ends of a connection's life."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from angarium.errors import Invalid
from angarium.ports.transport import Request
from angarium.transport import connection as connections
from angarium.transport.http1 import Http1
from tests.unit.transport.hostile import (
    ANSWER,
    Hostile,
    Peer,
    answering,
    ask,
    fail,
    mute,
    polite,
    resolving,
    stage,
    until,
)


async def test_a_request_arrives_as_it_was_given_and_its_answer_comes_back() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(
            b"HTTP/1.1 202 Accepted\r\nX-Message-Id: m1\r\nX-Two: a\r\nx-two: b\r\ncontent-length: 2\r\n\r\nok"
        )

    async with stage(script) as (http, server):
        response = await http.call(
            Request(url=server.url, headers={"Content-Type": "text/plain", "authorization": "Bearer k"}, body=b"hi")
        )
        assert (response.status, response.body, response.truncated) == (202, b"ok", False)
        assert response.headers == {"x-message-id": "m1", "x-two": "a, b", "content-length": "2"}
        assert seen == [
            b"POST /hooks?a=1 HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept-encoding: identity\r\n"
            b"Content-Type: text/plain\r\nauthorization: Bearer k\r\ncontent-length: 2\r\n\r\nhi" % server.port
        ]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=1\r\nhe\r\n3\r\nllo\r\n0\r\nx-t: 1\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + ANSWER, b"hello"),
    ],
    ids=["length", "chunked", "204", "304", "interim"],
)
@pytest.mark.parametrize("pieces", ["whole", "by the byte"])
async def test_a_complete_answer_is_read_and_its_connection_is_used_again(
    answer: bytes, body: bytes, pieces: str
) -> None:
    async def script(peer: Peer) -> None:
        for _ in range(2):
            await peer.request()
            for piece in [answer] if pieces == "whole" else [answer[i : i + 1] for i in range(len(answer))]:
                await peer.send(piece)
                await asyncio.sleep(0)

    async with stage(script) as (http, server):
        first, second = [await ask(http, server.url) for _ in range(2)]
        assert first == second
        assert (first.body, server.accepted) == (body, 1)
        assert "x-t" not in first.headers
        assert "link" not in first.headers


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
    ],
)
async def test_a_body_without_length_ends_with_the_connection(answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await peer.close()

    async with stage(script) as (http, server):
        response = await ask(http, server.url)
        assert (response.body, response.truncated) == (b"hello", False)
        await server.abandoned()


async def test_the_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    async with stage(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")) as (http, server):
        response = await ask(http, server.url, method="HEAD", body=b"")
        assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "5")


async def test_calls_one_after_the_other_share_a_connection_and_calls_at_once_do_not() -> None:
    async with stage(polite) as (http, server):
        assert [(await ask(http, server.url)).body for _ in range(5)] == [b"1"] * 5
        together = await asyncio.gather(*[ask(http, server.url) for _ in range(3)])
        assert sorted(response.body for response in together) == [b"1", b"2", b"3"]
        assert server.accepted == 3


async def test_the_connection_used_last_is_used_first() -> None:
    async def script(peer: Peer) -> None:
        while True:
            slow = b"slow" in await peer.request()
            if slow:
                await release.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % peer.number)

    release = asyncio.Event()
    async with stage(script) as (http, server):
        slow = asyncio.create_task(ask(http, server.url, body=b"slow"))
        await until(lambda: server.accepted == 1)
        assert (await ask(http, server.url)).body == b"2"
        release.set()
        assert (await slow).body == b"1"
        assert (await ask(http, server.url)).body == b"1"


@pytest.mark.parametrize("header", [b"connection: close\r\n", b"Connection: Close\r\n"])
async def test_a_connection_that_the_server_ends_is_not_kept(header: bytes) -> None:
    last = b"HTTP/1.1 200 OK\r\n" + header + b"content-length: 0\r\n\r\n"
    async with stage(answering(ANSWER, last)) as (http, server):
        await ask(http, server.url)
        await ask(http, server.url)
        await server.abandoned()
        assert server.accepted == 1
        assert not http.pool.stacks


async def test_a_server_that_closes_an_idle_connection_costs_no_call() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await peer.close()

    async with stage(script) as (http, server):
        for number in range(1, 4):
            assert (await ask(http, server.url)).body == b"hello"
            assert server.accepted == number
            await until(lambda: not http.pool.open)


async def test_an_idle_connection_whose_end_the_loop_has_not_seen_yet_is_not_written_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "SURELY_ALIVE", 0.0)
    async with stage(polite) as (http, server):
        assert (await ask(http, server.url)).body == b"1"
        descriptor = server.peers[0].writer.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(descriptor)) as end:
            end.shutdown(socket.SHUT_RDWR)
        assert (await ask(http, server.url)).body == b"2"


async def test_an_idle_connection_that_the_loop_has_closed_and_not_yet_told_of_is_not_written_to() -> None:
    async with stage(polite) as (http, server):
        assert (await ask(http, server.url)).body == b"1"
        [kept] = http.pool.idle
        kept.transport.abort()
        assert not kept.dead
        assert (await ask(http, server.url)).body == b"2"


@pytest.mark.parametrize("unasked", [b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged", b"\r\n", b"H"])
async def test_what_a_server_sends_unasked_is_never_taken_for_an_answer(unasked: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await answered.wait()
        await peer.send(unasked)

    answered = asyncio.Event()
    async with stage(script) as (http, server):
        assert (await ask(http, server.url)).body == b"hello"
        answered.set()
        await server.abandoned()
        assert not http.pool.idle
        assert (await ask(http, server.url)).body == b"hello"
        assert server.accepted == 2


@pytest.mark.parametrize("surplus", [b"H", b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged", b"\x00junk"])
async def test_bytes_behind_an_answer_end_its_connection_but_not_the_answer(surplus: bytes) -> None:
    async with stage(answering(ANSWER + surplus)) as (http, server):
        assert (await ask(http, server.url)).body == b"hello"
        await server.abandoned()


async def test_an_answer_that_comes_before_the_whole_request_was_read_ends_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await peer.gone()

    async with stage(script) as (http, server):
        response = await ask(http, server.url, body=b"x" * 20_000_000)
        assert response.status == 413
        await server.abandoned()


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    async with stage(polite, Http1(max_idle=0.05)) as (http, server):
        await ask(http, server.url)
        await server.abandoned()
        assert not http.pool.stacks


async def test_the_deadline_of_an_earlier_call_does_not_end_a_later_one() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await peer.request()
        await asyncio.sleep(0.15)
        await peer.send(ANSWER)

    async with stage(script) as (http, server):
        assert (await ask(http, server.url, timeout=0.1)).body == b"hello"
        assert (await ask(http, server.url, timeout=5)).body == b"hello"
        assert server.accepted == 1


async def test_when_too_many_are_kept_the_one_idle_for_longest_goes() -> None:
    async with stage(polite, Http1(max_kept=1)) as (http, server), Hostile(polite) as other:
        await ask(http, server.url)
        await ask(http, other.url)
        await server.abandoned()
        await ask(http, other.url)
        assert (other.accepted, len(http.pool.idle)) == (1, 1)


async def test_a_client_may_keep_no_connection_at_all() -> None:
    async with stage(polite, Http1(max_kept=0)) as (http, server):
        await ask(http, server.url)
        await server.abandoned()


async def test_cancelling_a_call_closes_its_connection() -> None:
    asked = asyncio.Event()
    async with stage(mute(asked)) as (http, server):
        call = asyncio.create_task(ask(http, server.url))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.abandoned()
        assert not http.pool.open


async def test_cancelling_a_call_that_has_its_answer_leaves_the_next_one_alone() -> None:
    async with stage(polite) as (http, server):
        await ask(http, server.url)
        [connection] = http.pool.open
        finished = asyncio.get_running_loop().create_future()
        call = asyncio.create_task(ask(http, server.url))
        await asyncio.sleep(0)
        connection.forsake(finished)
        assert (await call).body == b"1"


async def test_closing_ends_calls_under_way_and_fails_later_ones_unwritten() -> None:
    asked = asyncio.Event()
    async with stage(mute(asked)) as (http, server):
        call = asyncio.create_task(fail(http, server.url))
        await asked.wait()
        await http.close()
        assert await call == ("reset_after_write", True)
        assert await fail(http, server.url) == ("connect_failed", False)


async def test_nobody_listening_is_a_definite_non_send() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with Http1() as http:
            assert await fail(http, f"http://127.0.0.1:{unused.getsockname()[1]}/") == ("connect_failed", False)


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["::1", "127.0.0.1"]

    async with stage(polite, Http1(resolve=resolve)) as (http, server):
        assert (await ask(http, f"http://receiver.test:{server.port}/")).status == 200


async def test_a_silent_address_does_not_use_up_the_time_of_the_next_one() -> None:
    async with stage(polite, Http1(resolve=resolving(["127.0.0.2", "127.0.0.1"]))) as (http, server):
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.2", server.port))
            full.listen(0)
            for caller in (first, second):
                caller.setblocking(False)
                caller.connect_ex(full.getsockname())
            assert (await ask(http, f"http://receiver.test:{server.port}/", timeout=0.4)).status == 200


async def test_a_name_without_address_or_a_resolver_that_hangs_is_a_definite_non_send() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async def hangs(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with Http1(resolve=nothing) as http:
        assert await fail(http, "http://nobody.test/") == ("connect_failed", False)
    async with Http1(resolve=hangs) as http:
        assert await fail(http, "http://slow.test/", timeout=0.05) == ("timeout", False)


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
async def test_a_deadline_that_is_over_writes_nothing(timeout: float) -> None:
    async with stage(polite) as (http, server):
        assert await fail(http, server.url, timeout=timeout) == ("timeout", False)
        assert server.accepted == 0


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async with Hostile(polite) as target:
        answer = b"HTTP/1.1 302 Found\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % target.url.encode()
        async with stage(answering(answer)) as (http, server):
            assert (await ask(http, server.url)).status == 302
            assert (server.accepted, target.accepted) == (1, 0)


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Hostile(polite) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with stage(polite) as (http, server):
            assert (await ask(http, server.url)).status == 200
            assert (server.accepted, proxy.accepted) == (1, 0)


async def test_a_request_that_cannot_be_written_opens_no_connection() -> None:
    async with stage(polite) as (http, server):
        with pytest.raises(Invalid):
            await http.call(Request(url=server.url, headers={"x-a": "b\r\nx-c: d"}))
        with pytest.raises(Invalid):
            await http.call(Request(url="ftp://127.0.0.1/"))
        assert server.accepted == 0
