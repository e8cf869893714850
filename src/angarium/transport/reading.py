"""Reads answers from bytes: caps what comes, says where one ends, and whether another may follow on the connection."""

from __future__ import annotations

import httptools

from angarium.ports.transport import Response

#: Bytes of heads, of a chunk's extension, and of trailers that we read before we give up.
HEAD_BYTES = 32 * 1024
#: Bytes of a body that are kept.
BODY_BYTES = 64 * 1024
#: Interim answers (1xx) before the final one.
INTERIM_ANSWERS = 10


class Malformed(Exception):
    """What came is not an answer we read."""


class Reading:
    """The answers of one connection, one after the other: `start`, then `feed` until it is `complete`.

    A parser calls the `on_` methods. Raising in one of them stops it for good, and `feed` raises `Malformed`.
    """

    __slots__ = (
        "bodiless",
        "body",
        "body_bytes",
        "complete",
        "head_bytes",
        "headers",
        "in_body",
        "interim",
        "parser",
        "reusable",
        "silent_bytes",
        "status",
        "truncated",
        "until_end",
    )

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.start()

    def start(self, *, bodiless: bool = False) -> None:
        """Expect an answer; `bodiless`: to HEAD, so without a body whatever its headers say."""
        self.bodiless = bodiless
        self.status = self.interim = self.head_bytes = self.silent_bytes = self.body_bytes = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.in_body = self.until_end = self.complete = self.reusable = self.truncated = False

    def feed(self, data: bytes) -> None:
        """Read on. What stands behind a complete answer costs the connection, not the answer. Raises `Malformed`."""
        self.silent_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.complete:
                raise Malformed from error
            self.reusable = False
        if self.silent_bytes > HEAD_BYTES and not self.complete:
            raise Malformed

    def end(self) -> None:
        """The stream has ended: that completes a body without length. The parser never says so."""
        self.complete = self.complete or self.until_end

    def answer(self) -> Response:
        """What was read."""
        return Response(status=self.status, headers=self.headers, body=b"".join(self.body), truncated=self.truncated)

    def on_message_begin(self) -> None:
        """The first byte of an answer: nobody asked for a second one."""
        if self.complete:
            raise Malformed

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer: those are counted and thrown away. Repeated ones are joined (RFC 9110 5.3)."""
        self.head_bytes += len(name) + len(value) + 4
        if self.head_bytes > HEAD_BYTES:
            raise Malformed
        if not self.in_body:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            known = self.headers.get(key)
            self.headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """Where does the body end? The one coding we read is `chunked`; the parser sees that it excludes a length."""
        self.status = self.parser.get_status_code()
        if self.status < 200:
            return self.pass_interim()
        coding = self.headers.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise Malformed
        self.in_body = True
        self.until_end = coding is None and "content-length" not in self.headers
        self.complete = self.bodiless
        return None

    def pass_interim(self) -> None:
        """An interim answer says nothing we need. 101 would change the protocol, which we never asked for."""
        self.interim += 1
        if self.status == 101 or self.interim > INTERIM_ANSWERS:
            raise Malformed
        self.headers = {}

    def on_body(self, data: bytes) -> None:
        """A piece of the body, kept up to the cap; what exceeds it completes the answer."""
        if self.complete:
            return
        self.silent_bytes = 0
        room = BODY_BYTES - self.body_bytes
        self.body_bytes += len(data)
        if len(data) > room:
            self.complete = self.truncated = True
            data = data[:room]
        self.body.append(data)

    def on_message_complete(self) -> None:
        """The last byte. An interim answer is followed by another one."""
        if self.status >= 200 and not self.complete:
            self.complete = True
            self.reusable = self.parser.should_keep_alive()
