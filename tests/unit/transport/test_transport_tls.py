"""TLS: always verified, under the name of the URL."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from angarium.errors import Invalid
from angarium.transport.http1 import Http1
from tests.unit.transport.conftest import Authority
from tests.unit.transport.hostile import (
    ANSWER,
    Hostile,
    Peer,
    Script,
    ask,
    fail,
    mute,
    polite,
    resolving,
    sockets,
    until,
)

NAME = "hooks.example.com"


def url(server: Hostile, name: str = NAME) -> str:
    return f"https://{name}:{server.port}/"


async def test_a_server_is_trusted_by_ca_file_and_hears_the_name_of_the_url(authority: Authority) -> None:
    heard: list[str | None] = []
    authority.server.sni_callback = lambda socket, name, context: heard.append(name)
    before = sockets()
    async with (
        Http1(ca_file=authority.ca_file, resolve=resolving(["127.0.0.1"])) as http,
        Hostile(polite, authority.server) as server,
    ):
        assert [(await ask(http, url(server))).body for _ in range(3)] == [b"1"] * 3
        assert (server.accepted, heard) == (1, [NAME])
    authority.server.sni_callback = None
    await until(lambda: sockets() == before)


async def test_an_unknown_authority_fails_before_anything_is_written(authority: Authority) -> None:
    before = sockets()
    async with Http1(resolve=resolving(["127.0.0.1"])) as http, Hostile(polite, authority.server) as server:
        assert await fail(http, url(server)) == ("tls_failed", False)
    await until(lambda: sockets() == before)


@pytest.mark.parametrize("name", ["other.example.com", "127.0.0.1"])
async def test_a_certificate_for_another_name_fails(authority: Authority, name: str) -> None:
    async with (
        Http1(ca_file=authority.ca_file, resolve=resolving(["127.0.0.1"])) as http,
        Hostile(polite, authority.server) as server,
    ):
        assert await fail(http, url(server, name)) == ("tls_failed", False)


async def junk(peer: Peer) -> None:
    await peer.send(b"220 mail.example.com ESMTP\r\n")


async def cut(peer: Peer) -> None:
    await peer.reader.read(10)
    peer.reset()


@pytest.mark.parametrize("script", [junk, cut])
async def test_a_server_that_speaks_no_tls_fails(script: Script) -> None:
    before = sockets()
    async with Http1(resolve=resolving(["127.0.0.1"])) as http, Hostile(script) as server:
        assert await fail(http, url(server)) == ("tls_failed", False)
        await server.abandoned()
    await until(lambda: sockets() == before)


async def test_a_handshake_that_hangs_ends_with_the_deadline_and_closes_its_socket() -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    before = sockets()
    async with Http1(resolve=resolving(["127.0.0.1"])) as http, Hostile(silent) as server:
        assert await fail(http, url(server), timeout=0.1) == ("timeout", False)
        await server.abandoned()
    await until(lambda: sockets() == before)


async def test_an_answer_without_length_ends_with_the_goodbye_of_tls(authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await peer.close()

    async with (
        Http1(ca_file=authority.ca_file, resolve=resolving(["127.0.0.1"])) as http,
        Hostile(script, authority.server) as server,
    ):
        assert (await ask(http, url(server))).body == b"hello"


async def test_a_cancelled_call_closes_its_tls_connection(authority: Authority) -> None:
    asked = asyncio.Event()
    before = sockets()
    async with (
        Http1(ca_file=authority.ca_file, resolve=resolving(["127.0.0.1"])) as http,
        Hostile(mute(asked), authority.server) as server,
    ):
        call = asyncio.create_task(ask(http, url(server)))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.abandoned()
    await until(lambda: sockets() == before)


async def test_a_tls_server_that_closes_while_idle_costs_no_call(authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await peer.close()

    async with (
        Http1(ca_file=authority.ca_file, resolve=resolving(["127.0.0.1"], ["127.0.0.1"])) as http,
        Hostile(script, authority.server) as server,
    ):
        for _ in range(2):
            assert (await ask(http, url(server))).body == b"hello"
            await until(lambda: not http.pool.open)


def test_keys_of_sessions_are_not_written_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = Http1().context
    assert context.keylog_filename is None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_told_at_the_start(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Invalid, match="ca_file: cannot be read"):
        Http1(ca_file=str(path))
