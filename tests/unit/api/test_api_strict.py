"""The parsers alone: whatever comes, they end in drafts or in an error that names a place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from angarium.api import cloudevents, plain, strict
from angarium.api.problems import OnLine, describe
from angarium.errors import Invalid
from angarium.pipeline.accept import Draft
from tests.unit.api.world import BINARY, cloudevent

PARSERS: dict[str, Callable[[bytes], Any]] = {
    "structured": cloudevents.structured,
    "batch": cloudevents.batch,
    "binary": lambda body: cloudevents.binary(BINARY.items(), body),
    "plain": plain.event,
    "list": plain.events,
    "lines": plain.lines,
}
NAMES = st.sampled_from(["id", "source", "type", "subject", "specversion", "data", "data_base64", "to", "angto"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def status(parser: str, body: bytes) -> int:
    try:
        PARSERS[parser](body)
    except (Invalid, OnLine) as error:
        return describe(error).status
    return 202


@pytest.mark.parametrize("parser", PARSERS)
@given(body=st.binary(max_size=64))
@example(body=b"\xef\xbb\xbf{}")
@example(body=b'{"":1}')
@example(body=b'{"\\u0000":1}')
@example(body=b"-")
def test_any_bytes_end_in_events_or_in_a_refusal(parser: str, body: bytes) -> None:
    assert status(parser, body) in (202, 400, 422)


@pytest.mark.parametrize("parser", PARSERS)
@given(value=VALUES)
def test_any_json_ends_in_events_or_in_a_refusal(parser: str, value: Any) -> None:
    body = msgspec.json.encode(value)
    assert status(parser, body) in ((202,) if parser == "binary" else (202, 422))
    assert status(parser, body[:-1]) in (202, 400, 422)


@given(value=VALUES)
def test_data_is_forwarded_byte_for_byte(value: Any) -> None:
    data = b"  ".join((b"", msgspec.json.encode(value), b""))
    [structured] = cloudevents.batch(b"[" + msgspec.json.encode(cloudevent())[:-1] + b',"data":' + data + b"}]")

    assert bytes(structured.data).strip() == data.strip()
    assert bytes(cloudevents.binary(BINARY.items(), data).data) == data
    assert bytes(plain.event(b'{"data":' + data + b"}").data).strip() == data.strip()


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1))
def test_a_header_that_was_encoded_as_the_binding_says_is_decoded_to_the_same_text(text: str) -> None:
    encoded = "".join(
        letter if 0x21 <= ord(letter) <= 0x7E and letter not in '"%' else "".join(f"%{b:02X}" for b in letter.encode())
        for letter in text
    )
    draft: Draft = cloudevents.binary([*BINARY.items(), ("ce-ext", encoded)], b"")
    assert draft.attributes["ext"] == text


@pytest.mark.parametrize("where", ["", "/0"])
@pytest.mark.parametrize("name", ["a/b~c", "\n", "x" * 65, "\u2028"])
def test_a_pointer_shows_a_name_only_if_it_is_short_and_plain(where: str, name: str) -> None:
    assert strict.pointer(where, name) == (f"{where}/a~1b~0c" if name == "a/b~c" else where)


class Inner(Struct, frozen=True, forbid_unknown_fields=True):
    count: int = 0
    tags: tuple[str, ...] = ()


class Outer(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    inner: Inner | None = None
    short: str = msgspec.field(default="", name="brief")


@pytest.mark.parametrize(
    ("body", "pointer", "problem", "mend"),
    [
        ({}, "/name", "is missing", "give it a value"),
        ({"name": 1}, "/name", "is of type int", "expected str"),
        ({"nam": "secret"}, "/nam", "is not known here", "did you mean name?"),
        ({"name": "", "brif": ""}, "/brif", "is not known here", "did you mean brief?"),
        ({"name": "", "inner": {"count": "x"}}, "/inner/count", "is of type str", "expected int"),
        ({"name": "", "inner": {"tags": ["a", 2]}}, "/inner/tags/1", "is of type int", "expected str"),
        (["secret"], "", "is of type array", "expected object"),
    ],
)
def test_a_body_that_does_not_fit_is_told_by_its_member_and_not_by_its_value(
    body: Any, pointer: str, problem: str, mend: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode(body), type=Outer)
    found = strict.misfit(caught.value, Outer)

    assert (found.where, found.problem, found.mend) == (pointer, problem, mend)


@pytest.mark.parametrize(
    ("kind", "value", "problem", "mend"),
    [
        (Meta(min_length=2), "a", "has the wrong length", "it must be >= 2"),
        (Meta(pattern="^x$"), "secret", "has a value that is not taken", "see the API document for those that are"),
    ],
)
def test_a_value_outside_its_bounds_is_told_with_the_bound(kind: Meta, value: str, problem: str, mend: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, type=Annotated[str, kind])
    found = strict.misfit(caught.value, Outer)

    assert (found.where, found.problem, found.mend) == ("", problem, mend)
