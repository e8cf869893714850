"""CloudEvents by HTTP: structured, in batches, and in headers. The official library is the judge."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from tests.unit.api.world import BATCH, BINARY, CLOUDEVENT, World, cloudevent

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_structured_cloudevent_keeps_its_extensions_and_the_bytes_of_its_data(it: World) -> None:
    body = (
        b'{"specversion":"1.0","id":"1","source":"/s","type":"alarm","shard":3,"ok":true,"data":{ "a": 1.50, "a": 2 }}'
    )
    reply = await it.post(body, {"content-type": "application/cloudevents+json; charset=UTF-8"})

    [record] = await it.records("events")
    assert reply.status == 202
    assert b'"data":{ "a": 1.50, "a": 2 }' in record.value
    assert msgspec.json.decode(record.value) | {"shard": 3, "ok": True, "data": {"a": 2}} == msgspec.json.decode(
        record.value
    )


async def test_what_the_official_library_writes_is_understood(it: World) -> None:
    attributes = {"id": "ü 1", "source": "/s?x=%20", "type": "alarm", "subject": 'a "b" é', "ext": "x%y"}
    event = CloudEvent(attributes | {"specversion": "1.0"}, {"n": 1})
    for message in (to_structured_event(event), to_binary_event(event)):
        body = message.body if isinstance(message.body, bytes) else message.body.encode()
        headers = {"content-type": "application/json"} | {k.lower(): v for k, v in message.headers.items()}
        assert (await it.post(body, headers)).status == 202

    for record in await it.records("events"):
        stored = msgspec.json.decode(record.value)
        assert {name: stored[name] for name in attributes} == attributes
        assert stored["data"] == {"n": 1}


async def test_attributes_in_headers_are_unquoted_and_decoded_once(it: World) -> None:
    reply = await it.post(b'{"a":1}', BINARY | {"ce-subject": '"a \\"b\\" %2525"', "ce-other": "%C3%BC"})

    [record] = await it.records("events")
    stored = msgspec.json.decode(record.value)
    assert reply.status == 202
    assert (stored["subject"], stored["other"], stored["datacontenttype"]) == ('a "b" %25', "ü", "application/json")


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("text/plain", "ü".encode(), {"data": "ü"}),
        ("image/png", b"\x89PNG", {"data_base64": b64encode(b"\x89PNG").decode()}),
        ("text/plain", b"\xff", {"data_base64": b64encode(b"\xff").decode()}),
        ("application/vnd.x+json; v=1", b"[1]", {"data": [1]}),
        ("application/json", b"", {"data": None}),
    ],
)
async def test_a_body_beside_headers_is_data_of_its_type(it: World, kind: str, body: bytes, expected: Any) -> None:
    assert (await it.post(body, BINARY | {"content-type": kind})).status == 202

    [record] = await it.records("events")
    assert msgspec.json.decode(record.value) | expected == msgspec.json.decode(record.value)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"specversion": None}, "/specversion"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": None}, "/id"),
        ({"source": None}, "/source"),
        ({"type": None}, "/type"),
        ({"id": ""}, "/id"),
        ({"id": 7}, "/id"),
        ({"type": "a\u0007"}, "/type"),
        ({"Upper": "x"}, "/Upper"),
        ({"a" * 21: "x"}, f"/{'a' * 21}"),
        ({"ext": {"a": 1}}, "/ext"),
        ({"ext": [1]}, "/ext"),
        ({"ext": 1.5}, "/ext"),
        ({"ext": 1 << 31}, "/ext"),
        ({"angtenant": "other"}, "/angtenant"),
        ({"angto": "[]"}, "/angto"),
        ({"data": 1, "data_base64": "AA=="}, "/data_base64"),
        ({"data_base64": "%%"}, "/data_base64"),
        ({"data_base64": 1}, "/data_base64"),
        ({"time": "now"}, "/time"),
        ({"datacontenttype": 1}, "/datacontenttype"),
    ],
)
async def test_the_rules_of_cloudevents_hold_alone_and_in_batches(
    calm: World, changes: dict[str, Any], pointer: str
) -> None:
    alone = await calm.post(cloudevent(**changes), CLOUDEVENT)
    among = await calm.post([cloudevent(), cloudevent(**changes)], BATCH)

    assert (alone.status, alone.flaw()[0]) == (422, pointer)
    assert (among.status, among.flaw()[0]) == (422, f"/1{pointer}")


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("ce-specversion", "2.0", 422),
        ("ce-id", "", 422),
        ("ce-id", "%ff", 400),
        ("ce-angtenant", "other", 422),
        ("ce-data", "x", 422),
        ("ce-datacontenttype", "text/plain", 422),
        ("ce-time", "now", 422),
        ("ce-a_b", "x", 422),
    ],
)
async def test_a_wrong_header_is_named(calm: World, name: str, value: str, status: int) -> None:
    reply = await calm.post(b"", BINARY | {name: value})
    assert (reply.status, reply.flaw()[0]) == (status, name)


async def test_a_header_that_comes_twice_is_refused(calm: World) -> None:
    reply = await calm.post(b"", [*BINARY.items(), ("ce-id", "2")])
    assert (reply.status, reply.flaw()[0]) == (400, "ce-id")
