"""The client: what it sends, what it makes of answers, and that both kinds of it are alike."""

from __future__ import annotations

import inspect
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from angarium.api import plain
from angarium.api.keys import NewKey
from angarium.client import AsyncClient, Busy, Client, Problem, calls
from angarium.client.answers import BadLine, Published, Stored, read
from angarium.client.calls import Call
from angarium.client.methods import Method, Methods
from angarium.client.pages import every
from angarium.errors import AngariumError, Invalid, Unavailable
from angarium.model.reasons import Priority, Reason
from angarium.ports.broker import Record
from angarium.ports.transport import Request, Response
from angarium.testing import Harness
from angarium.testing.transport import ScriptedTransport
from angarium.transport.errors import CallFailed
from tests.unit.answering import Answer, Answering, answering
from tests.unit.api import world

KEY = "ang_live_canary"
ANNA = {"id": "anna", "email": "anna@example.com", "phone": "+15005550006"}
PUBLISHED = {"events": [{"id": "e-1", "source": "/v1/events", "run_url": "/v1/runs?event=e-1"}]}


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as script:
        yield script


@pytest.fixture
def client(server: Answering) -> Iterator[Client]:
    with Client(server.url, KEY, timeout=5) as made:
        yield made


def problem(status: int, *errors: dict[str, Any], detail: str | None = None) -> Answer:
    return Answer(status, {"title": "Refused", "status": status, "detail": detail, "errors": list(errors)})


def test_one_plain_event_travels_as_an_object_and_several_as_a_list() -> None:
    one, two = calls.publish([{"type": "a", "id": "1"}]), calls.publish([{"type": "a", "id": "1"}, {"type": "b"}])

    assert plain.event(one.body).attributes == {"type": "a", "id": "1"}
    assert [draft.attributes["type"] for draft in plain.events(two.body)] == ["a", "b"]
    assert {one.headers["Content-Type"], two.headers["Content-Type"]} == {"application/json"}


def test_cloudevents_travel_under_their_own_media_types() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "a"}

    assert calls.publish([event]).headers["Content-Type"] == "application/cloudevents+json"
    assert calls.publish([event, event]).headers["Content-Type"] == "application/cloudevents-batch+json"
    with pytest.raises(Invalid, match="mix"):
        calls.publish([event, {"type": "a"}])


def test_events_without_ids_get_a_key_so_that_the_call_may_be_repeated() -> None:
    named, unnamed = {"type": "a", "id": "1"}, {"type": "a"}
    first, second = (calls.publish([named, unnamed]).headers["Idempotency-Key"] for _ in range(2))

    assert first != second
    assert "Idempotency-Key" not in calls.publish([named]).headers
    assert calls.publish([named], "mine").headers["Idempotency-Key"] == "mine"
    assert "Idempotency-Key" in calls.publish_lines([b"{}"]).headers
    assert "Idempotency-Key" not in calls.publish_lines([b"{}"], named=True).headers


@pytest.mark.parametrize("key", ["", "two words", "new\nline", "ключ"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_told(key: str) -> None:
    for make in (lambda: calls.publish([{"type": "a"}], key), lambda: Client("http://127.0.0.1:1", key)):
        with pytest.raises(Invalid) as told:
            make()
        assert not key or key not in str(told.value)


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(Invalid, match="JSON"):
        calls.publish([{"type": "a", "data": object()}])


def test_a_query_holds_what_was_asked_and_no_more() -> None:
    assert calls.explain(recipient="a b&c=d").target == "/v1/explain?recipient=a+b%26c%3Dd"
    assert calls.dead(after=None, limit=5).target == "/v1/dead?limit=5"
    assert calls.audit().target == "/v1/audit"


def test_an_id_stays_one_segment_of_the_path() -> None:
    assert calls.replay("../keys?x", again=True).target == "/v1/dead/..%2Fkeys%3Fx/replay?again=true"
    with pytest.raises(Invalid):
        calls.revoke_key("..")


def test_a_new_key_is_described_as_the_server_reads_it() -> None:
    call = calls.create_key("ci", ("publish", "read"), datetime(2030, 1, 31, tzinfo=UTC))

    assert not call.repeatable
    assert msgspec.json.decode(call.body, type=NewKey) == NewKey(
        name="ci", scopes=["publish", "read"], expires="2030-01-31T00:00:00Z"
    )


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (problem(422, {"pointer": "/to", "problem": "is empty", "mend": "name one"}), Invalid, "/to: is empty; name"),
        (problem(422, {"pointer": "/a"}, {"pointer": "/b"}), Invalid, "1 more"),
        (problem(422, {"pointer": "/id", "problem": "is empty", "line": 7}), BadLine, "line 7: /id: is empty"),
        (problem(401, detail="it was revoked"), Problem, "401 Refused: it was revoked; set ANGARIUM_KEY"),
        (problem(403, detail="this key lacks the scope read"), Problem, "lacks the scope read"),
        (problem(409, detail="another body"), Problem, "409 Refused: another body"),
        (problem(503, detail="the broker does not answer"), Busy, "the server is unavailable: the broker"),
        (Answer(502), Busy, "cannot now"),
        (Answer(500, "no document"), Problem, "answered 500"),
        (Answer(413), Problem, "answered 413"),
        (Answer(200, ["no", "page"]), Unavailable, "cannot be read"),
    ],
)
def test_a_refusal_becomes_an_error_that_says_what_to_do(answer: Answer, error: type[Exception], words: str) -> None:
    body = b"" if answer.document is None else msgspec.json.encode(answer.document)
    with pytest.raises(AngariumError, match=words) as told:
        read(Response(status=answer.status, headers=answer.headers, body=body), Published)
    assert type(told.value) is error


@pytest.mark.parametrize(("header", "after"), [({"retry-after": "7"}, 7.0), ({}, 1.0), ({"retry-after": "soon"}, 1.0)])
def test_a_busy_server_says_when_to_come_again(header: dict[str, str], after: float) -> None:
    with pytest.raises(Busy) as told:
        read(Response(status=503, headers=header), Published)
    assert told.value.after == after


def test_calls_share_a_connection_and_carry_the_key(server: Answering, client: Client) -> None:
    server.on("POST /v1/events", Answer(202, PUBLISHED))
    server.on("GET /v1/audit", Answer(200, {"ok": True}))

    assert client.publish([{"type": "a"}]).events[0] == Stored("e-1", "/v1/events", "/v1/runs?event=e-1")
    assert client.audit() == {"ok": True}
    assert len({asked.connection for asked in server.asked}) == 1
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}


def test_a_kept_connection_that_the_server_closed_is_replaced(server: Answering, client: Client) -> None:
    server.on("GET /v1/audit", Answer(200, {"n": 1}, hang_up=True), Answer(200, {"n": 2}))

    assert [client.audit(), client.audit()] == [{"n": 1}, {"n": 2}]
    assert len({asked.connection for asked in server.asked}) == 2


def test_a_call_with_an_effect_of_its_own_is_not_made_twice(server: Answering, client: Client) -> None:
    server.on("GET /v1/audit", Answer(200, {}, hang_up=True))
    server.on("POST /v1/keys", Answer(201, {"id": "key_1"}))
    client.audit()

    with pytest.raises(Unavailable, match="nobody answers"):
        client.create_key("ci", ["read"])
    assert client.create_key("ci", ["read"]) == {"id": "key_1"}


def test_nobody_there_is_said_without_the_address() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with Client(f"http://127.0.0.1:{deaf.getsockname()[1]}", KEY) as client, pytest.raises(Unavailable) as told:
            client.audit()
    assert "127.0.0.1" not in str(told.value)
    assert "is it running" in str(told.value)


def test_a_server_behind_a_path_is_called_there(server: Answering) -> None:
    server.on("GET /notify/v1/audit", Answer(200, {}))
    with Client(f"{server.url}/notify/", KEY) as client:
        assert client.audit() == {}


def test_pages_are_read_when_their_turn_comes(server: Answering, client: Client) -> None:
    first, second = [{"id": str(n)} for n in range(100)], [{"id": "100"}]
    pages = [Answer(200, {"items": first, "next": "99"}), Answer(200, {"items": second, "next": None})]
    server.on("GET /v1/dead", *pages)
    found = every(client.dead)

    assert (next(found)["id"], len(server.asked)) == ("0", 1)
    assert [item["id"] for item in found][-1] == "100"
    assert [asked.target for asked in server.asked] == ["/v1/dead?limit=100", "/v1/dead?limit=100&after=99"]


def test_no_more_items_are_asked_for_than_wanted(server: Answering, client: Client) -> None:
    server.on("GET /v1/keys", Answer(200, {"items": [{"id": "1"}, {"id": "2"}], "next": "2"}))

    assert len(list(every(client.keys, 2))) == 2
    assert [asked.target for asked in server.asked] == ["/v1/keys?limit=2"]


def test_every_function_that_describes_a_call_is_a_method_of_both_clients() -> None:
    described = {
        name: made
        for name, made in vars(calls).items()
        if inspect.isfunction(made) and str(made.__annotations__.get("return", "")).startswith("Call[")
    }
    public = {name: made for name, made in described.items() if not name.startswith("_")}
    methods = {name: method.build for name, method in vars(Methods).items() if isinstance(method, Method)}

    assert {name: made for name, made in public.items() if name != "publish_lines"} == methods
    assert all(method.__doc__ for method in methods.values())


async def test_the_client_for_a_loop_makes_the_same_calls() -> None:
    transport = ScriptedTransport(Response(status=202, body=msgspec.json.encode(PUBLISHED)))
    stored = await AsyncClient(transport, "http://127.0.0.1:8080/", KEY, timeout=3).publish([{"type": "a", "id": "1"}])
    [request] = transport.requests

    assert stored.events[0].id == "e-1"
    assert (request.method, request.url, request.timeout) == ("POST", "http://127.0.0.1:8080/v1/events", 3)
    assert request.headers["Authorization"] == f"Bearer {KEY}"


async def test_a_call_that_fails_on_the_way_is_no_answer() -> None:
    transport = ScriptedTransport(CallFailed(Reason.timeout, written=True))
    with pytest.raises(Unavailable, match="timeout"):
        await AsyncClient(transport, "http://127.0.0.1:8080", KEY).audit()


class Inside:
    """A transport into the application itself."""

    def __init__(self, inside: world.World) -> None:
        self._inside = inside

    async def call(self, request: Request) -> Response:
        target = request.url.removeprefix("http://inside")
        reply = await world.call(self._inside.app, request.method, target, request.headers, request.body)
        return Response(status=reply.status, headers=reply.headers, body=reply.body)


@pytest.fixture
async def inside() -> AsyncIterator[world.World]:
    async with Harness(world.PROJECT) as harness:
        yield world.World(harness)


async def test_the_application_understands_every_call(inside: world.World) -> None:
    client = AsyncClient(Inside(inside), "http://inside", await inside.key("operate"))
    stored = await client.publish([{"type": "user.signed_up", "to": ANNA}])
    lines = calls.publish_lines([b'{"type":"alarm"}', b'{"specversion":"1.0","id":"1","source":"/s","type":"x"}'])
    several = await client.call(lines)
    await inside.harness.settle()
    told = await client.explain(event=stored.events[0].id, source=stored.events[0].source, limit=10)
    made = await client.create_key("ci", ["read"], datetime(2100, 1, 1, tzinfo=UTC))

    assert [event.id for event in several.events][1] == "1"
    assert [one["user"] for one in told["notifications"]] == ["anna"]
    assert made["id"] in {key["id"] for key in (await client.keys(limit=10)).items}
    assert await client.revoke_key(made["id"]) is None


async def test_a_dead_letter_is_listed_shown_and_put_back(inside: world.World) -> None:
    harness = inside.harness
    client = AsyncClient(Inside(inside), "http://inside", await inside.key("operate"))
    await harness.broker.publish(
        [Record(harness.topics.events(Priority.normal), "k", b'{"angtenant":"default","angarium":1}')]
    )
    await harness.settle()
    page = await client.dead(limit=10)

    assert page.items, "the letter belongs to the tenant that its bytes name"
    name = page.items[0]["id"]
    assert "angtenant" in (await client.dead_letter(name))["value"]
    assert (await client.replay(name))["id"] == name
    with pytest.raises(Problem, match="409"):
        await client.replay(name)


async def test_a_bad_line_is_told_by_its_number(inside: world.World) -> None:
    client = AsyncClient(Inside(inside), "http://inside", await inside.key("publish"))
    call: Call[Published] = calls.publish_lines([b'{"type":"alarm"}', b'{"tpye":"alarm"}'])

    with pytest.raises(BadLine, match="type") as told:
        await client.call(call)
    assert (told.value.line, told.value.where) == (2, "/tpye")
