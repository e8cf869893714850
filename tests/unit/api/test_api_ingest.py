"""`POST /v1/events`: every form in, everything wrong told with its place."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import msgspec
import pytest

from angarium.api import wire
from angarium.errors import Unavailable
from angarium.ports.broker import Record
from tests.unit.api.world import ANNA, BATCH, BINARY, CLOUDEVENT, JSON, LINES, World, call, cloudevent

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_plain_json_with_recipients_inside_is_stored_and_answered_with_202(it: World) -> None:
    reply = await it.post({"type": "alarm", "to": [ANNA], "data": {"n": 1}})

    [event] = await it.stored()
    url = f"/v1/events/{event.id}?source=%2Fv1%2Fevents"
    assert (reply.status, reply.headers["location"]) == (202, url)
    assert reply.json() == {"events": [{"id": event.id, "source": "/v1/events", "run_url": url}]}
    assert (event.type, bytes(event.data)) == ("alarm", b'{"n":1}')
    assert event.angto is not None and "anna@example.com" in event.angto


async def test_a_list_of_plain_events_is_stored_whole(it: World) -> None:
    reply = await it.post([{"type": "alarm", "id": "a"}, {"type": "alarm", "id": "b"}])

    assert [event["id"] for event in reply.json()["events"]] == ["a", "b"]
    assert "location" not in reply.headers
    assert [event.id for event in await it.stored()] == ["a", "b"]


@pytest.mark.parametrize(("headers", "body"), [(JSON, b"[]"), (BATCH, b"[]"), (LINES, b""), (LINES, b"\n \n")])
async def test_an_empty_batch_is_valid(calm: World, headers: dict[str, str], body: bytes) -> None:
    reply = await calm.post(body, headers)

    assert (reply.status, reply.json()) == (202, {"events": []})


async def test_lines_may_be_cloudevents_or_plain_json(it: World) -> None:
    lines = [msgspec.json.encode(cloudevent(id="a")), b"", b'{"type":"alarm","id":"b"}', b""]
    assert (await it.post(b"\r\n".join(lines), LINES)).status == 202
    assert [event.id for event in await it.stored()] == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "line", "pointer", "status"),
    [
        (b'{"type":"alarm"}\n\n{"type":"alarm","to":{"email":"x"}}', 3, "/to/email", 422),
        (b'{"type":"alarm"}\n{"type":"alarm","too":1}', 2, "/too", 422),
        (b'\n{"type":7}', 2, "/type", 422),
        (b'{"type":"alarm"}\n{"type":', 2, "", 400),
    ],
)
async def test_a_mistake_in_a_line_names_the_line_and_nothing_is_stored(
    calm: World, body: bytes, line: int, pointer: str, status: int
) -> None:
    reply = await calm.post(body, LINES)

    [error] = reply.json()["errors"]
    assert (reply.status, error["line"], error["pointer"]) == (status, line, pointer)
    assert reply.json()["detail"].startswith(f"line {line}: ")


@pytest.mark.parametrize(
    ("body", "pointer", "problem"),
    [
        ({}, "/type", "is missing"),
        ({"type": None}, "/type", "is missing"),
        ({"type": 1}, "/type", "is not a text"),
        ({"type": "a", "time": "yesterday"}, "/time", "is no RFC 3339 time"),
        ({"type": "a", "dta": 1}, "/dta", "is not known of an event"),
        ({"type": "a", "a/b~": 1}, "/a~1b~0", "is not known of an event"),
        ({"type": "a", "specversion": "1.0"}, "/specversion", "makes it a CloudEvent"),
        ({"type": "a", "angtenant": "x"}, "/angtenant", "is not known of an event"),
        ({"type": "a", "to": []}, "/to", "is an empty list"),
        ({"type": "a", "to": ["1", "2", "3", "4", "5", "6"]}, "/to", "names more than 5 recipients"),
        ({"type": "a", "to": {"state": "x", "email": "a@example.com"}}, "/to/state", "is not known of a person"),
        ([{"type": "a"}, {}], "/1/type", "is missing"),
        ([{"type": 1}], "/0/type", "is not a text"),
        ([3], "/0", "is not an object"),
        (3, "", "is not an object"),
        ([{"type": "a"}] * 11, "", "holds more than 10 events"),
    ],
)
async def test_what_is_wrong_with_plain_json_is_told_by_a_pointer(
    calm: World, body: Any, pointer: str, problem: str
) -> None:
    reply = await calm.post(msgspec.json.encode(body))

    assert (reply.status, reply.flaw()) == (422, (pointer, problem))
    assert reply.headers["content-type"] == "application/problem+json"


async def test_a_misspelt_key_is_told_the_nearest_one(calm: World) -> None:
    [error] = (await calm.post({"type": "a", "dta": 1})).json()["errors"]
    assert error["mend"] == "did you mean data?"


DEEP = b"[" * 10_000 + b"]" * 10_000


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"nope",
        b"NaN",
        b"Infinity",
        b"1e400000",
        b'"\\ud800"',
        b'"\xff"',
        b'"\x00"',
        b'{"a":1,}',
        b"[" * 401 + b"]" * 401,
        b"[" * 2000 + b"]" * 2000,
    ],
    ids=lambda data: str(data[:12]),
)
async def test_data_that_is_no_json_or_that_no_later_reader_could_bear_is_refused(calm: World, data: bytes) -> None:
    attributes = b'"specversion":"1.0","id":"1","source":"/s","type":"a"'
    for headers, body in (
        (JSON, b'{"type":"a","data":' + data + b"}"),
        (JSON, b'[{"type":"a","data":' + data + b"}]"),
        (CLOUDEVENT, b"{" + attributes + b',"data":' + data + b"}"),
        (BATCH, b"[{" + attributes + b',"data":' + data + b"}]"),
        (LINES, b'{"type":"a","data":' + data + b"}"),
        (BINARY, data),
    ):
        reply = await calm.post(body, headers)
        assert (reply.status, len(reply.json()["errors"])) == (400, 1), headers


async def test_nesting_that_every_reader_can_bear_is_taken(it: World) -> None:
    assert (await it.post(b'{"type":"a","data":' + b"[" * 400 + b"]" * 400 + b"}")).status == 202


async def test_ten_thousand_levels_are_refused_quietly(calm: World) -> None:
    body = b'{"type":"a","data":' + DEEP + b"}"
    reply = await calm.post([body[:3000], body[3000:]], LINES)
    assert (reply.status, reply.flaw()[1]) == (400, "is nested deeper than 400")


async def test_malformed_json_is_told_with_its_position_and_without_its_text(calm: World) -> None:
    reply = await calm.post(b'{"type": "secret-type" oops}')

    assert reply.flaw() == ("", "is not JSON (byte 23)")
    assert b"oops" not in reply.body and b"secret-type" not in reply.body


async def test_of_a_name_that_comes_twice_the_last_one_counts(it: World) -> None:
    assert (await it.post(b'{"type":"a","type":"b","id":"1","id":"2"}')).status == 202
    assert [(event.type, event.id) for event in await it.stored()] == [("b", "2")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/cloudevents+avro", "ce-specversion": "1.0"},
        {"content-type": "application/json; charset=utf-16"},
        JSON | {"content-encoding": "gzip"},
        JSON | {"content-encoding": "gzip, identity"},
    ],
)
async def test_what_cannot_be_read_is_refused_and_what_can_is_named(calm: World, headers: dict[str, str]) -> None:
    reply = await calm.post(b'{"type":"alarm"}', headers)

    assert reply.status == 415
    if reply.flaw()[1].startswith("is none"):
        assert "application/x-ndjson" in reply.json()["errors"][0]["mend"]


async def refused_body(it: World, headers: dict[str, str], pieces: list[bytes]) -> tuple[int, int]:
    """The status, and how many pieces were never asked for."""
    left = list(pieces)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = headers | {"authorization": f"Bearer {await it.key('publish')}"}
    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/events", "query_string": b"", "headers": named}
    await it.app(scope, receive, send)
    return sent[0]["status"], len(left)


ONE, MANY = 4096, 32 * 4096


@pytest.mark.parametrize(
    ("headers", "pieces", "unread"),
    [
        (JSON | {"content-length": str(MANY + 1)}, [b"["], 1),
        (JSON | {"content-length": str(ONE + 1)}, [b" {", b" " * ONE], 1),
        (JSON | {"content-length": "10"}, [b"{"] + [b" " * 1024] * 100, 96),
        (JSON, [b"["] + [b" " * 4096] * 100, 68),
        (CLOUDEVENT, [b" " * (ONE + 1)], 0),
        (BINARY, [b"x" * (ONE + 1)], 0),
        (LINES, [b"{" * 4096] * 100, 67),
    ],
)
async def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    calm: World, headers: dict[str, str], pieces: list[bytes], unread: int
) -> None:
    assert await refused_body(calm, headers, pieces) == (413, unread)


async def test_refusing_a_large_body_costs_no_memory(calm: World) -> None:
    tracemalloc.start()
    try:
        piece = b" " * 1024
        await refused_body(calm, JSON, [b"{", *[piece] * 20_000])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


async def test_an_event_too_large_among_others_is_named(calm: World) -> None:
    large = {"type": "a", "data": "x" * 9000}
    reply = await calm.post([{"type": "a"}, large])
    assert (reply.status, reply.flaw()[0]) == (422, "/1/data")


async def test_a_client_that_goes_away_is_not_answered(calm: World) -> None:
    key = await calm.key("publish")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/events", "query_string": b"", "headers": headers}
    await calm.app(scope, receive, send)


async def test_the_same_key_and_body_get_the_same_answer_and_another_body_a_conflict(it: World) -> None:
    headers = JSON | {"idempotency-key": "k1"}
    first, again = await it.post({"type": "alarm"}, headers), await it.post({"type": "alarm"}, headers)
    other = await it.post({"type": "alarm", "data": 1}, headers)

    assert first.body == again.body
    assert (other.status, other.headers["content-type"]) == (409, "application/problem+json")
    assert len(await it.stored()) == 1


async def test_an_idempotency_key_belongs_to_its_tenant(it: World) -> None:
    headers = JSON | {"idempotency-key": "k1"}
    stranger = await it.key("publish", tenant="acme")

    assert (await it.post({"type": "alarm"}, headers)).status == 202
    assert (await it.post({"type": "alarm", "data": 1}, headers, stranger)).status == 202
    assert {event.angtenant for event in await it.stored()} == {"default", "acme"}


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256, "x" * 10_240])
async def test_an_idempotency_key_that_cannot_be_used_is_refused(calm: World, key: str) -> None:
    reply = await calm.post({"type": "alarm"}, JSON | {"idempotency-key": key})
    assert (reply.status, reply.flaw()[0]) == (400, "idempotency-key")


async def test_a_broker_that_does_not_answer_is_told_with_when_to_come_again(
    it: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def publish(records: list[Record]) -> None:
        raise Unavailable("broker")

    monkeypatch.setattr(it.harness.broker, "publish", publish)
    reply = await it.post({"type": "alarm"})
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


async def test_a_defect_is_answered_without_detail_and_logged_with_the_request(
    it: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def publish(records: list[Record]) -> None:
        raise ZeroDivisionError("hidden words")

    monkeypatch.setattr(it.harness.broker, "publish", publish)
    reply = await it.post({"type": "alarm"}, JSON | {"x-request-id": "r-1"})

    assert (reply.status, reply.headers["x-request-id"]) == (500, "r-1")
    assert b"hidden" not in reply.body
    [line] = [record for record in caplog.records if record.name.startswith("angarium.")]
    assert vars(line)["request"] == "r-1"


async def test_the_handshake_gives_consent_to_whoever_asks_as_every_post_needs_a_key(calm: World) -> None:
    reply = await calm.call("OPTIONS", "/v1/events", headers={"webhook-request-origin": "eventemitter.example.com"})

    assert reply.status == 200
    assert reply.headers["webhook-allowed-origin"] == "eventemitter.example.com"
    assert (reply.headers["webhook-allowed-rate"], reply.headers["allow"]) == ("*", "OPTIONS, POST")


async def test_a_handshake_without_an_origin_gets_no_consent(calm: World) -> None:
    plain = await calm.call("OPTIONS", "/v1/events")
    odd = await calm.call("OPTIONS", "/v1/events", headers={"webhook-request-origin": "a b"})

    assert (plain.status, "webhook-allowed-origin" in plain.headers) == (200, False)
    assert odd.status == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_events_are_only_posted(calm: World, method: str) -> None:
    reply = await call(calm.app, method, "/v1/events")
    assert (reply.status, reply.headers["allow"]) == (405, "OPTIONS, POST")


@pytest.mark.parametrize("target", ["/v1/events", "/v1/callbacks/sms", "/v1/keys"])
async def test_whoever_sends_a_body_too_slowly_is_told_so(
    calm: World, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(wire, "PATIENCE", 0.0)

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {await calm.key()}".encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": target, "query_string": b"", "headers": headers}
    await calm.app(scope, receive, send)
    assert sent[0]["status"] == 408
