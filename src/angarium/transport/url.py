"""Reads the URL of a request, in one strict spelling: what is odd here is read differently by somebody else."""

from __future__ import annotations

import ipaddress
import re

from msgspec import Struct

from angarium.errors import Invalid

#: RFC 3986 without user information and fragment. A host is a DNS name, an IPv4 address or a bracketed IPv6 address.
URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][a-z0-9/?:@!$&'()*+,;=._~%\[\]-]*)?",
    re.IGNORECASE | re.ASCII,
)
#: A last label of digits, or of hexadecimal ones after 0x, makes resolvers read the whole name as a number.
NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class Place(Struct, frozen=True):
    """Where a request goes. `host` is lower case, IPv6 without brackets; `authority` is the Host header's value."""

    tls: bool
    host: str
    port: int
    authority: str
    target: str


def locate(url: str) -> Place:
    """Read an absolute http or https URL. Raises `Invalid`."""
    found = URL.fullmatch(url)
    if not found:
        raise Invalid(
            "url", "is not a plain http or https URL", "write https://host/path, percent-encoded, no user or #"
        )
    tls = found["scheme"].lower() == "https"
    host = found["host"].lower()
    port = int(found["port"] or (443 if tls else 80))
    if not 0 < port < 65536:
        raise Invalid("url", "has a port out of range", "use 1 to 65535")
    target = found["target"] or "/"
    return Place(
        tls=tls,
        host=checked_host(host),
        port=port,
        authority=host if port == (443 if tls else 80) else f"{host}:{port}",
        target=target if target.startswith("/") else f"/{target}",
    )


def checked_host(host: str) -> str:
    """A name of well-formed labels, or an address in its usual spelling, unbracketed. Raises `Invalid`."""
    if host.startswith("["):
        if not is_address(host[1:-1]):
            raise Invalid("url", "has brackets around what is no IPv6 address", "write [2001:db8::1]")
        return host[1:-1]
    if NUMERIC.fullmatch(host) and not is_address(host):
        raise Invalid("url", "writes an address in an odd way", "write four decimal numbers")
    if not all(0 < len(label) < 64 for label in host.split(".")):
        raise Invalid("url", "has a host name with an empty or too long label", "use labels of 1 to 63 characters")
    return host


def is_address(text: str) -> bool:
    """Whether this is an IP address in the usual spelling."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
