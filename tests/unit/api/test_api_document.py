"""The API document, and what it is the list for: every route, every scope, every foreign id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from angarium.database import dead
from angarium.model.reasons import Reason
from angarium.pipeline.handler import letter
from angarium.ports.broker import Record
from tests.unit.api.world import ANNA, JSON, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Bodies for those operations that need one to get as far as their id or their scope.
BODIES = {
    "Publish": [],
    "Suppress": {"channel": "sms", "address": "+15005550006"},
    "LiftSuppression": {"channel": "sms", "address": "+15005550006"},
    "CreateKey": {"name": "n", "scopes": ["read"]},
}
#: Open without a key: one is signed, one promises nothing.
OPEN = {"Callback", "Handshake"}
NEEDS = {
    "Publish": "publish",
    "ListDead": "operate",
    "GetDead": "operate",
    "ReplayDead": "operate",
    "CancelRun": "operate",
    "CancelNotification": "operate",
    "Audit": "operate",
    "ListSuppressions": "operate",
    "Suppress": "operate",
    "LiftSuppression": "operate",
    "ListKeys": "operate",
    "CreateKey": "operate",
    "RevokeKey": "operate",
}


async def document(it: World) -> dict[str, Any]:
    reply = await it.call("GET", "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = reply.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from references(one)


async def test_the_document_is_openapi_3_1_and_whole(calm: World) -> None:
    found = await document(calm)

    assert found["openapi"].startswith("3.1")
    assert set(found["paths"]["/v1/events"]) == {"post", "options"}
    assert len(found["paths"]["/v1/events"]["post"]["requestBody"]["content"]) == 4
    for reference in set(references(found)):
        place = found
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    names = [operation["operationId"] for _, _, operation in operations(found)]
    assert len(names) == len(set(names)) == 23


async def test_every_route_is_described_with_its_problems(calm: World) -> None:
    for method, path, operation in operations(await document(calm)):
        assert operation["summary"], path
        assert any(status.startswith("2") for status in operation["responses"]), path
        assert method == "OPTIONS" or {"401", "404", "422", "503"} <= operation["responses"].keys()


async def test_a_route_is_closed_without_a_key_and_without_its_scope(calm: World) -> None:
    keys = {scope: await calm.key(scope) for scope in ("publish", "read", "operate")}
    for method, path, operation in operations(await document(calm)):
        name = operation["operationId"]
        if name in OPEN:
            continue
        target, needs = re.sub(r"{\w+}", "nothing", path), NEEDS.get(name, "read")
        reply = await calm.call(method, target, None, JSON, BODIES.get(name, {}))
        assert reply.status == 401, name
        for scope, key in keys.items():
            if name in ("Suppress", "CreateKey") and scope == needs:
                continue  # these would succeed and leave something behind
            reply = await calm.call(method, target, key, JSON, BODIES.get(name, {}))
            assert (reply.status == 403) == (scope not in (needs, "operate")), (name, scope, reply.status)


async def seeded(it: World) -> dict[str, str]:
    """An id of the default tenant for every parameter of a path."""
    accepted = await it.post({"type": "alarm", "to": ANNA})
    await it.harness.settle()
    [delivery] = await it.harness.deliveries()
    died = letter(Record(it.harness.topics.dead, "k", b"v", offset=1), Reason.undecodable, "", it.harness.clock.now())
    await it.harness.database.write(dead.save, [died])
    return {
        "event": accepted.json()["events"][0]["id"],
        "run": delivery.run,
        "notification": delivery.notification,
        "delivery": delivery.id,
        "letter": died.id,
        "key": f"key_{(await it.key('read'))[9:45]}",
    }


async def test_another_tenants_things_are_not_there_by_any_route(it: World) -> None:
    ids = await seeded(it)
    owner, stranger = await it.key(), await it.key(tenant="acme")
    tried = set()
    for method, path, operation in operations(await document(it)):
        parameters = re.findall(r"{(\w+)}", path)
        if not parameters or operation["operationId"] in OPEN:
            continue
        target = path.format(**{name: ids[name] for name in parameters})
        foreign = await it.call(method, target, stranger)
        unknown = await it.call(method, path.format(**dict.fromkeys(parameters, "nothing")), stranger)
        assert (foreign.status, foreign.body) == (404, unknown.body), operation["operationId"]
        tried |= {(method, target)}
    for method, target in sorted(tried):
        assert (await it.call(method, target, owner)).status < 300, target


async def test_another_tenants_things_are_in_no_list(it: World) -> None:
    ids = await seeded(it)
    owner, stranger = await it.key(), await it.key(tenant="acme")
    place = {"channel": "sms", "address": "+15005550009"}
    await it.call("POST", "/v1/suppressions", owner, JSON, place)
    for method, path, operation in operations(await document(it)):
        if method != "GET" or "{" in path or operation["operationId"] == "Audit":
            continue
        mine, theirs = [(await it.call("GET", path, key)).json() for key in (owner, stranger)]
        listed = "notifications" if operation["operationId"] == "Explain" else "items"
        assert mine[listed], path
        assert [item for item in theirs[listed] if item.get("name") != "key 4"] == [], path
        for name in ids.values():
            below = await it.call("GET", f"{path}?after={name}", stranger)
            assert below.status == 422 or below.json()["items"] == [], path
    assert (await it.call("DELETE", "/v1/suppressions", stranger, JSON, place)).status == 404
    assert (await it.call("GET", f"/v1/explain?event={ids['event']}", stranger)).json()["notifications"] == []


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/nothing", 404),
        ("GET", "/docs", 404),
        ("GET", "/schema", 404),
        ("GET", "/openapi.json/more", 404),
        ("GET", "/v1/runs/a/b", 404),
        ("POST", "/openapi.json", 405),
        ("PUT", "/v1/runs", 405),
        ("PATCH", "/v1/keys/x", 405),
        ("OPTIONS", "/v1/runs", 405),
    ],
)
async def test_unknown_paths_and_methods_are_problems_too(calm: World, method: str, target: str, status: int) -> None:
    reply = await calm.call(method, target, await calm.key())

    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json()["status"] == status
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("a b", False), ("x" * 129, False), ("ü", False)])
async def test_a_request_id_is_echoed_if_it_can_stand_in_a_log(calm: World, given: str, kept: bool) -> None:
    for target in ("/v1/runs", "/v1/events", "/nothing"):
        reply = await calm.call("POST", target, headers={"x-request-id": given})
        assert (reply.headers["x-request-id"] == given) is kept
