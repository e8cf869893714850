"""Writes a request's head. What frames a message is ours alone, so that no caller can smuggle a second request."""

from __future__ import annotations

import re

from angarium.errors import Invalid
from angarium.ports.transport import Request
from angarium.transport.url import Place

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Those whose empty body is announced too: servers may ask for a length (RFC 9110 8.6).
BODIED = frozenset({"POST", "PUT", "PATCH"})
#: RFC 9110 5.6.2.
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
#: Names that frame a message, address it, or make its answer unreadable to us.
OURS = frozenset(
    {
        "host",
        "content-length",
        "connection",
        "transfer-encoding",
        "accept-encoding",
        "expect",
        "upgrade",
        "te",
        "trailer",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
    }
)


def write(request: Request, place: Place) -> bytes:
    """Head and body as they go over the wire. Raises `Invalid` for a method or a header that cannot be sent."""
    if request.method not in METHODS:
        raise Invalid("method", "is not one that we send", f"use one of {', '.join(sorted(METHODS))}")
    headers = request.headers
    for name in headers:
        if not TOKEN.fullmatch(name):
            raise Invalid("headers", "have a name that is no token", "use letters, digits and hyphens")
        if name.lower() in OURS:
            raise Invalid(name.lower(), "is set by the client itself", "leave it out")
    values = "".join(headers.values())
    if not (values.isascii() and values.isprintable()):
        raise Invalid(unprintable(request), "holds a character that no header may carry", "use printable ASCII")
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    length = f"content-length: {len(request.body)}\r\n" if request.body or request.method in BODIED else ""
    head = (
        f"{request.method} {place.target} HTTP/1.1\r\nhost: {place.authority}\r\naccept-encoding: identity\r\n"
        f"{fields}{length}\r\n"
    )
    return head.encode("ascii") + request.body


def unprintable(request: Request) -> str:
    """The name of the first header whose value cannot be sent."""
    return next(name for name, value in request.headers.items() if not (value.isascii() and value.isprintable()))
