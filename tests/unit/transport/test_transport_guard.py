"""The address guard: by form, by every address of a name, by the peer, and by what the operator allows."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.errors import Invalid
from angarium.transport.errors import CallFailed
from angarium.transport.guard import Guard, is_public
from angarium.transport.http1 import Http1
from angarium.transport.url import Place, locate
from tests.unit.transport.hostile import Hostile, ask, fail, polite, resolving, stage


def words(text: str) -> list[str]:
    return text.split()


NETWORKS = words("""
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    255.255.255.255/32 ::/128 ::1/128 ::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16
    3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
    ::ffff:127.0.0.0/104 ::ffff:10.0.0.0/104 ::ffff:169.254.0.0/112
""")
PUBLIC = words("""
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
    169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
    2000:: 2001:200:: 2606:4700:4700::1111 2a00:1450:4001::8a 3ffe:: ::ffff:8.8.8.8
""")
INSIDE = words("""
    127.0.0.1 localhost LOCALHOST localhost. 127.1 0 0.0.0.0 2130706433 0x7f000001 0177.0.0.1 127。0。0。1 ⓛocalhost
    [::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [::7f00:1] [64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe] [2002:7f00:1::]
    [fd00:ec2::254] [fe80::1%25lo] [fe80::1%lo] 169.254.169.254 100.100.100.200 metadata.google.internal
    user@127.0.0.1 evil.com:80@127.0.0.1 evil.com#@127.0.0.1 127.0.0.1\\@evil.com /127.0.0.1 127.0.0.1:80:80
    127.0.0.1%00.evil.com foo.localhost printer.local router.home.arpa intranet db:5432 127.0.0.1.:80 [evil.com]
    [127.0.0.1] 0x7f.1 %31%32%37.0.0.1
    evil..com .evil.com -evil.com evil.com. evil.com:0 evil.com:65536 evil.com:-1
""")
SCHEMES = words("""
    file:///etc/passwd gopher://127.0.0.1:6379/_ dict://evil.com/ ftp://evil.com/ unix:/run/docker.sock http+unix://x/
    //evil.com/ http:evil.com http:/evil.com javascript:alert(1) http:// https:// evil.com
""")


@pytest.mark.parametrize("network", NETWORKS)
def test_the_first_the_middle_and_the_last_address_of_a_denied_network_are_refused(network: str) -> None:
    found = ipaddress.ip_network(network)
    for number in {0, found.num_addresses // 2, found.num_addresses - 1}:
        assert not is_public(str(found[number]))


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_pass(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", INSIDE)
async def test_a_host_inside_is_refused_when_saved_and_when_called(host: str) -> None:
    url = f"http://{host}/hook"
    with pytest.raises(Invalid) as refusal:
        Guard().check_url(url)
    assert host not in str(refusal.value)
    async with Http1(resolve=resolving(*[["127.0.0.1"]])) as http:
        assert await fail(http, url, guarded=True) == ("blocked_address", False)


@pytest.mark.parametrize(
    "url",
    [*SCHEMES, "", "http://evil.com/a b", "http://evil.com/\r\nx-a: 1", "http://evil.com/\n", "http://evil.com/ü"],
)
async def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        Guard().check_url(url)
    async with Http1() as http:
        assert await fail(http, url, guarded=True) == ("blocked_address", False)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://hooks.example.com", Place(True, "hooks.example.com", 443, "hooks.example.com", "/")),
        (
            "HTTP://Hooks.Example.COM:8080/A?b=c",
            Place(False, "hooks.example.com", 8080, "hooks.example.com:8080", "/A?b=c"),
        ),
        ("http://8.8.8.8?x=1", Place(False, "8.8.8.8", 80, "8.8.8.8", "/?x=1")),
        ("https://[2606:4700::1]:443/", Place(True, "2606:4700::1", 443, "[2606:4700::1]", "/")),
        ("http://[2606:4700::1]:443/", Place(False, "2606:4700::1", 443, "[2606:4700::1]:443", "/")),
    ],
)
def test_public_urls_are_read_and_pass(url: str, place: Place) -> None:
    Guard().check_url(url)
    assert locate(url) == place


@given(st.from_regex(r"https?://[a-z0-9.:\[\]@/?#%\\-]{1,40}", fullmatch=True))
def test_what_we_read_the_standard_library_reads_alike(url: str) -> None:
    try:
        place = locate(url)
    except Invalid:
        return
    theirs = urlsplit(url)
    assert (place.host, place.port) == (theirs.hostname, theirs.port or {"http": 80, "https": 443}[theirs.scheme])
    assert place.target.removeprefix("/") == (theirs.path + "?" * ("?" in url) + theirs.query).removeprefix("/")


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["2606:4700::1", "fe80::1%lo"]],
)
async def test_one_private_address_of_a_name_spoils_all_others(addresses: Sequence[str]) -> None:
    async with Hostile(polite) as canary, Http1(resolve=resolving(addresses)) as http:
        assert await fail(http, f"http://evil.com:{canary.port}/", guarded=True) == ("blocked_address", False)
        assert canary.accepted == 0


@pytest.mark.parametrize("host", ["printer.local", "metadata.google.internal", "intranet"])
def test_a_private_name_is_refused_even_when_it_resolves_to_the_internet(host: str) -> None:
    with pytest.raises(CallFailed, match="blocked_address before"):
        Guard().check(locate(f"http://{host}/"), ["8.8.8.8"])


async def test_a_name_is_resolved_once_so_that_it_cannot_change_between_judgement_and_call() -> None:
    class Content(Guard):
        def check(self, place: Place, addresses: Sequence[str]) -> None:
            pass

    async with stage(polite, Http1(Content(), resolve=resolving(["127.0.0.1"]))) as (http, server):
        assert (await ask(http, f"http://hooks.example.com:{server.port}/", guarded=True)).status == 200


async def test_the_addresses_are_judged_before_the_connection_and_the_peer_after_it() -> None:
    judged: list[Sequence[str]] = []

    class Witness(Guard):
        def check(self, place: Place, addresses: Sequence[str]) -> None:
            judged.append(addresses)
            if len(judged) == 2:
                Guard().check(place, addresses)

    async with stage(polite, Http1(guard=Witness(), resolve=resolving(["127.0.0.1"]))) as (http, server):
        assert await fail(http, f"http://hooks.example.com:{server.port}/", guarded=True) == ("blocked_address", False)
        assert judged == [["127.0.0.1"], ["127.0.0.1"]]
        await server.abandoned()


async def test_a_connection_of_the_operators_is_not_lent_to_a_tenant() -> None:
    async with stage(polite) as (http, server):
        assert (await ask(http, server.url)).status == 200
        assert await fail(http, server.url, guarded=True) == ("blocked_address", False)
        assert server.accepted == 1


async def test_a_receiver_that_the_operator_names_is_called_at_that_port_only() -> None:
    async with Hostile(polite) as server, Hostile(polite) as other:
        guard = Guard([f"127.0.0.1:{server.port}", f"receiver.lan:{server.port}"])
        async with Http1(guard, resolve=resolving(["127.0.0.1"])) as http:
            for url in (server.url, f"http://receiver.lan:{server.port}/"):
                guard.check_url(url)
                assert (await ask(http, url, guarded=True)).status == 200
            with pytest.raises(Invalid):
                guard.check_url(other.url)
            assert await fail(http, other.url, guarded=True) == ("blocked_address", False)
            assert other.accepted == 0


@pytest.mark.parametrize(
    "entry", ["receiver.lan", "receiver.lan:", "receiver.lan:0", "a:1/x", "u@a:1", "*:80", "", "[::1]", "a:1?"]
)
def test_an_entry_that_is_no_host_and_port_is_refused(entry: str) -> None:
    with pytest.raises(Invalid, match=r"hooks\.allow"):
        Guard([entry])


def test_an_entry_may_be_an_ipv6_address() -> None:
    Guard(["[::1]:8080"]).check_url("http://[::1]:8080/hook")
