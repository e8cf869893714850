"""The address guard: a URL that a tenant named may reach the public internet, and nothing behind us.

Judged three times: the URL's form when it is saved, every address its name resolves to, and the peer of the socket.
`ipaddress.is_global` is not asked: it follows the Python release, and lets forms pass that carry an IPv4 address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from angarium.errors import Invalid
from angarium.model.reasons import Reason
from angarium.transport.errors import CallFailed
from angarium.transport.url import Place, is_address, locate

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: IANA's special-purpose registries (RFC 6890 and later): this host, private, shared (RFC 6598), loopback, link-local
#: with cloud metadata, protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved, broadcast.
DENIED_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
#: All of IPv6 that is public. NAT64, local, multicast and IPv4-compatible forms lie outside.
PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
#: Inside it: protocol assignments with Teredo, documentation (two), 6to4. Tunnels carry any IPv4 address.
DENIED_6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
#: Names that are never public (RFC 6761, RFC 6762, RFC 7686, RFC 8375, and ICANN's private-use `internal`).
PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa", "onion", "invalid")


def is_public(text: str) -> bool:
    """Whether an address as the resolver or the socket tells it (a scope may follow `%`) is public."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in DENIED_4)
    return address in PUBLIC_6 and not any(address in network for network in DENIED_6)


class Guard:
    """`allow` names private receivers that may be called all the same, each as `host:port` or `[ipv6]:port`."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self.allowed = frozenset(read_allowed(entry) for entry in allow)

    def check_url(self, url: str) -> None:
        """Judge a URL before it is saved, without asking DNS. Raises `Invalid`."""
        place = locate(url)
        if not self.allows(place) and is_private_form(place.host):
            raise Invalid("url", "names a host that is not on the public internet", "ask the operator to allow it")

    def allows(self, place: Place) -> bool:
        """Whether the operator named this very host and port."""
        return (place.host, place.port) in self.allowed

    def check(self, place: Place, addresses: Sequence[str]) -> None:
        """Judge the addresses of a host, all of them: one private answer spoils the rest. Raises `CallFailed`."""
        if self.allows(place):
            return
        if is_private_form(place.host) or not all(map(is_public, addresses)):
            raise CallFailed(Reason.blocked_address, written=False)


def is_private_form(host: str) -> bool:
    """A private address, a name without a dot, or one below a private suffix."""
    if is_address(host):
        return not is_public(host)
    return "." not in host or host.endswith(tuple(f".{name}" for name in PRIVATE_NAMES))


def read_allowed(entry: str) -> tuple[str, int]:
    """Read `host:port`. Raises `Invalid`."""
    try:
        place = locate(f"http://{entry}")
    except Invalid:
        place = None
    if place is None or place.target != "/" or not entry.rpartition("]")[2].partition(":")[2].isdigit():
        raise Invalid("hooks.allow", "has an entry that is no host:port", "write it like receiver.lan:8080")
    return place.host, place.port
