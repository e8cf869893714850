"""Heads of requests: what a caller gives is sent as it is or refused, and never becomes anything else."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.errors import Invalid
from angarium.ports.transport import Request
from angarium.transport import head
from angarium.transport.url import locate

URL = "https://hooks.example.com/a?b=c"
PLACE = locate(URL)
OURS = [(b"host", b"hooks.example.com"), (b"accept-encoding", b"identity")]


class Read:
    """What a server's parser makes of bytes."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.messages = 0
        self.body = b""
        self.url = b""
        httptools.HttpRequestParser(self).feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.messages += 1


@given(
    st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=4),
    st.binary(max_size=50),
    st.sampled_from(["POST", "PUT", "PATCH"]),
)
def test_headers_are_refused_or_arrive_as_given(headers: dict[str, str], body: bytes, method: str) -> None:
    try:
        data = head.write(Request(method=method, url=URL, headers=headers, body=body), PLACE)
    except Invalid:
        return
    read = Read(data)
    given_ones = [(name.encode(), value.strip(" ").encode()) for name, value in headers.items()]
    assert read.headers == [*OURS, *given_ones, (b"content-length", b"%d" % len(body))]
    assert (read.url, read.body, read.messages) == (b"/a?b=c", body, 1)


@pytest.mark.parametrize(
    "value", ["a\r\nx-b: c", "a\nb", "a\rb", "a\0b", "a\x0bb", "a\x7fb", "a\x85b", "a\u2028b", "ü", "\ud800"]
)
def test_a_value_that_would_end_its_line_is_refused_and_not_repeated_in_the_error(value: str) -> None:
    with pytest.raises(Invalid) as refusal:
        head.write(Request(url=URL, headers={"x-ok": "1", "x-a": value}), PLACE)
    assert refusal.value.where == "x-a"
    assert value not in str(refusal.value)


@pytest.mark.parametrize("name", ["", " x", "x ", "x:", "x\r\ny", "x\0", "ü", "x y", "(x)", "x\n"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="headers: have a name"):
        head.write(Request(url=URL, headers={name: "1"}), PLACE)


@pytest.mark.parametrize(
    "name",
    ["Host", "host", "Content-Length", "CONNECTION", "transfer-encoding", "Accept-Encoding", "expect", "Upgrade", "TE"],
)
def test_a_header_that_frames_the_message_is_ours_alone(name: str) -> None:
    with pytest.raises(Invalid, match="set by the client itself"):
        head.write(Request(url=URL, headers={name: "x"}), PLACE)


@pytest.mark.parametrize("method", ["", "post", "CONNECT", "TRACE", "GET / HTTP/1.1\r\nx: y\r\n\r\nGET"])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(Invalid, match="method: "):
        head.write(Request(url=URL, method=method), PLACE)


def test_a_length_is_told_where_there_is_a_body_or_one_is_expected() -> None:
    def lengths(method: str, body: bytes) -> list[bytes]:
        return [
            value
            for name, value in Read(head.write(Request(method=method, url=URL, body=body), PLACE)).headers
            if name == b"content-length"
        ]

    assert lengths("GET", b"") == []
    assert lengths("POST", b"") == [b"0"]
    assert lengths("DELETE", b"") == []
    assert lengths("DELETE", b"ab") == [b"2"]
