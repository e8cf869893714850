"""A server on loopback that answers by a script, so that clients are tried over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from msgspec import Struct


class Asked(Struct, frozen=True):
    """One request that came; header names are lower case. `connection` tells connections apart."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


class Answer(Struct, frozen=True):
    """What is said. `hang_up`: afterwards the connection is closed, without a word of it."""

    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = {}
    hang_up: bool = False


class Answering:
    """`script` has the answers to `METHOD /path` in order; the last one stays. What nobody wrote is a 404."""

    def __init__(self) -> None:
        self.script: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self.url = ""

    def on(self, place: str, *answers: Answer) -> None:
        """Say this when `METHOD /path` is asked."""
        self.script[place] = list(answers)

    def answer(self, asked: Asked) -> Answer:
        """The next line of the script."""
        self.asked.append(asked)
        lines = self.script.get(f"{asked.method} {asked.target.partition('?')[0]}")
        if not lines:
            return Answer(404, {"title": "Not Found"})
        return lines.pop(0) if len(lines) > 1 else lines[0]


@contextmanager
def answering() -> Iterator[Answering]:
    """One that listens until the block ends."""
    script = Answering()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without it the body of an answer waits for the acknowledgement of its head.
        disable_nagle_algorithm = True

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = script.answer(Asked(self.command, self.path, headers, body, self.client_address[1]))
            told = b"" if answer.document is None else msgspec.json.encode(answer.document)
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(told)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told)
            self.close_connection = self.close_connection or answer.hang_up

        do_GET = do_POST = do_DELETE = reply  # noqa: N815 (the library finds them by these names)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
