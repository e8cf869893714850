"""Our HTTP/1.1 client: kept connections, one total deadline, caps on all that comes back.

It follows no redirect, decodes no content coding, and reads nothing from the environment but what OpenSSL itself reads
to find the platform's certificates.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Self

from angarium.errors import Invalid
from angarium.model.reasons import Reason
from angarium.ports.transport import Request, Response, Transport
from angarium.transport import head
from angarium.transport.connection import Connection
from angarium.transport.errors import CallFailed
from angarium.transport.guard import Guard
from angarium.transport.pool import Key, Pool
from angarium.transport.url import Place, is_address, locate

#: URLs whose reading is remembered.
REMEMBERED_URLS = 1024

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, in the order the system prefers. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def trust(ca_file: str | None) -> ssl.SSLContext:
    """A context that always verifies, by this file of PEM certificates or else by the platform's. Raises `Invalid`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:
        raise Invalid("ca_file", "cannot be read as certificates", "name a readable PEM file") from error
    return context


class Http1(Transport):
    """One client for all accounts that trust the same certificates; an async context manager.

    `guard` judges guarded requests; without one, nothing private is allowed. `ca_file` is trusted instead of the
    platform's certificates. `max_idle`: seconds an unused connection is kept, `max_kept`: how many of them, over all
    hosts. `resolve` turns a host name into addresses.
    """

    def __init__(
        self,
        guard: Guard | None = None,
        ca_file: str | None = None,
        max_idle: float = 30.0,
        max_kept: int = 512,
        resolve: Resolve = resolve,
    ) -> None:
        self.guard = guard or Guard()
        if ca_file is not None:
            self.context = trust(ca_file)
        self.resolve = resolve
        self.pool = Pool(max_idle, max_kept)
        self.locate = lru_cache(REMEMBERED_URLS)(locate)

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The platform's certificates take 20 ms to load: only the first call over TLS asks for them."""
        return trust(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End calls under way as failures, and return when every socket is closed. Later calls fail unwritten."""
        await self.pool.close()

    async def call(self, request: Request) -> Response:
        """One request, one answer. Raises `CallFailed`, or `Invalid` for a request that cannot be written."""
        if not request.timeout > 0:
            raise CallFailed(Reason.timeout, written=False)
        due = asyncio.get_running_loop().time() + request.timeout
        place = self.place(request)
        data = head.write(request, place)
        key = Key(place.tls, place.host, place.port, request.guarded)
        connection = self.pool.take(key) or await self.connect(place, key, due)
        future = connection.begin(data, due, bodiless=request.method == "HEAD")
        try:
            answer = await future
        except asyncio.CancelledError:
            connection.forsake(future)
            raise
        if isinstance(answer, CallFailed):
            raise answer
        return answer

    def place(self, request: Request) -> Place:
        """Read the URL. A tenant's that cannot be read is blocked like one that leads inside."""
        try:
            return self.locate(request.url)
        except Invalid as error:
            if request.guarded:
                raise CallFailed(Reason.blocked_address, written=False) from error
            raise

    async def connect(self, place: Place, key: Key, due: float) -> Connection:
        """A new connection by loop time `due`. Raises `CallFailed`; nothing is written."""
        try:
            async with asyncio.timeout_at(due):
                connection = await self.secure(await self.reach(place, key.guarded, due), place, key)
        except TimeoutError as error:
            raise CallFailed(Reason.timeout, written=False) from error
        except ssl.SSLError as error:
            raise CallFailed(Reason.tls_failed, written=False) from error
        except (OSError, UnicodeError) as error:
            raise CallFailed(Reason.connect_failed, written=False) from error
        if self.pool.closing or connection.is_ending():
            connection.drop()
            raise CallFailed(Reason.connect_failed, written=False)
        return connection

    async def reach(self, place: Place, guarded: bool, due: float) -> socket.socket:
        """A connected socket: resolve once, judge every address, try them in turn, judge the peer. Raises `OSError`.

        Each address gets its share of the time that is left, so that a silent first one does not use it up.
        """
        addresses = [place.host] if is_address(place.host) else await self.resolve(place.host, place.port)
        if guarded:
            self.guard.check(place, addresses)
        loop = asyncio.get_running_loop()
        failure: OSError = OSError("no address")
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                async with asyncio.timeout((due - loop.time()) / left):
                    return await self.open(place, address, guarded)
            except OSError as error:
                failure = error
        raise failure

    async def open(self, place: Place, address: str, guarded: bool) -> socket.socket:
        """A socket connected to this very address. Raises `OSError`."""
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)
            await asyncio.get_running_loop().sock_connect(opened, (address, place.port))
            if guarded:
                self.guard.check(place, [str(opened.getpeername()[0])])
        except BaseException:
            opened.close()
            raise
        return opened

    async def secure(self, opened: socket.socket, place: Place, key: Key) -> Connection:
        """Hand the socket to the loop, with TLS under the name of the URL. Raises `OSError`, of TLS `ssl.SSLError`."""
        loop = asyncio.get_running_loop()
        connection = Connection(self.pool, lambda connection: self.pool.give(connection, key))
        try:
            await loop.create_connection(
                lambda: connection,
                sock=opened,
                ssl=self.context if place.tls else None,
                server_hostname=place.host if place.tls else None,
            )
        except ConnectionError as error:
            raise (ssl.SSLError("the handshake was cut off") if place.tls else error) from error
        except asyncio.CancelledError:
            self.pool.forsake(connection)
            raise
        return connection
