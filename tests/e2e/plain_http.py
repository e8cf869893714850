"""A client as plain as can be: what a server answers is judged from outside, not by our own client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

#: Any way in which a request can stay without an answer.
Unanswered = (OSError, HTTPException)


class Answer(Struct, frozen=True):
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def exchange(connection: HTTPConnection, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """One request over a connection that may be kept. Raises one of `Unanswered`."""
    connection.request(method, path, body or None, dict(headers))
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def call(
    url: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}, timeout: float = 15.0
) -> Answer:
    """One request over a connection of its own. Raises one of `Unanswered`."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    try:
        return exchange(connection, method, path, body, headers)
    finally:
        connection.close()
