"""Keys: who is let in, what each may do, and how guessing ends."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from angarium.api.auth import MOST_FAILURES, REMEMBERED, TTL, WINDOW, Authenticator, mint
from angarium.api.problems import Declined
from angarium.database import keys
from angarium.database.keys import Key
from tests.unit.api.world import JSON, SECRET, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "ang_live_00000000-0000-7000-8000-000000000999_" + "A" * 43
EXPIRED = "2023-11-14T22:13:19Z"


async def status(it: World, key: str | None, client: str = "192.0.2.1") -> int:
    return (await it.call("GET", "/v1/runs", key, client=client)).status


async def test_a_key_has_the_form_that_scanners_look_for_and_its_text_is_stored_nowhere(it: World) -> None:
    text, row = mint(
        SECRET, "key_0198c0de-0000-7000-8000-000000000000", tenant="a", name="n", scopes=["read"], created=1
    )

    assert text.startswith("ang_live_0198c0de-0000-7000-8000-000000000000_")
    assert (len(text), text[-44]) == (89, "_")
    assert len(row.hash) == 32
    assert text[-43:].encode() not in row.hash


async def test_two_keys_of_one_id_differ(it: World) -> None:
    made = [mint(SECRET, "key_1", tenant="a", name="n", scopes=["read"], created=1) for _ in range(2)]
    assert made[0][0] != made[1][0]
    assert made[0][1].hash != made[1][1].hash


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("publish", {"publish"}), ("read", {"read"}), ("operate", {"publish", "read", "operate"})],
)
async def test_a_scope_opens_its_routes_and_operate_opens_all(calm: World, scope: str, allowed: set[str]) -> None:
    key = await calm.key(scope)
    calls = {
        "publish": await calm.call("POST", "/v1/events", key, JSON, b"[]"),
        "read": await calm.call("GET", "/v1/runs", key),
        "operate": await calm.call("GET", "/v1/keys", key),
    }

    assert {name for name, reply in calls.items() if reply.status < 400} == allowed
    assert {reply.status for name, reply in calls.items() if name not in allowed} <= {403}


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        f"Bearer {WRONG}",
        f"Bearer {WRONG}x",
        "Bearer ü",
        "Bearer " + "x" * 10_240,
    ],
)
async def test_whoever_brings_no_known_key_is_not_let_in(calm: World, authorization: str) -> None:
    headers = {"authorization": authorization} if authorization else {}
    for method, target in (("GET", "/v1/runs"), ("POST", "/v1/events")):
        reply = await calm.call(method, target, headers=headers, client=f"198.51.100.{len(authorization) % 250}")
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")


async def test_the_right_id_with_another_secret_is_not_enough(it: World) -> None:
    key = await it.key("read")

    assert await status(it, key) == 200
    assert await status(it, key[:-1] + ("A" if key[-1] != "A" else "B")) == 401
    assert await status(it, key.replace("ang_live_", "ang_test_")) == 401


async def test_a_key_ends_when_it_expires(it: World) -> None:
    key = await it.key("read", expires=it.harness.clock.now() + 1)

    assert await status(it, key) == 200
    it.harness.clock.advance(1)
    assert await status(it, key) == 401


async def test_a_key_revoked_elsewhere_is_refused_within_five_seconds(it: World) -> None:
    key = await it.key("read")
    assert await status(it, key) == 200
    await status(it, key)  # the first use was noted, which the row is read anew for
    await it.harness.database.write(keys.revoke, "default", f"key_{key[9:45]}", it.harness.clock.now())

    assert await status(it, key) == 200
    it.harness.clock.advance(TTL)
    assert await status(it, key) == 401


async def test_a_key_revoked_here_is_refused_at_once(it: World) -> None:
    key, operator = await it.key("read"), await it.key("operate")
    assert await status(it, key) == 200

    assert (await it.call("DELETE", f"/v1/keys/key_{key[9:45]}", operator)).status == 204
    assert await status(it, key) == 401


async def test_the_tenth_wrong_key_a_minute_is_the_last_that_is_looked_at(it: World) -> None:
    tries = [await status(it, WRONG) for _ in range(MOST_FAILURES + 1)]
    stranger = await status(it, WRONG, client="192.0.2.2")
    reply = await it.call("GET", "/v1/runs", WRONG)
    it.harness.clock.advance(WINDOW)

    assert tries == [401] * MOST_FAILURES + [429]
    assert stranger == 401
    assert 1 <= int(reply.headers["retry-after"]) <= WINDOW + 1
    assert await status(it, WRONG) == 401


async def test_a_key_never_seen_is_refused_from_where_too_many_were_wrong_but_a_known_one_goes_on(it: World) -> None:
    known, fresh = await it.key("read"), await it.key("read")
    assert await status(it, known) == 200
    await status(it, known)
    for _ in range(MOST_FAILURES):
        await status(it, WRONG)

    assert await status(it, fresh) == 429
    assert await status(it, fresh, client="192.0.2.2") == 200
    it.harness.clock.advance(TTL)
    assert await status(it, known) == 200


async def test_wrong_keys_fill_no_memory(it: World) -> None:
    authenticator = Authenticator(it.harness.database, it.harness.clock, SECRET)
    for number in range(REMEMBERED + 100):
        with pytest.raises(Declined):
            await authenticator.caller({"client": (f"client-{number}", 1)}, f"Bearer {WRONG}")

    assert len(authenticator._failures) == REMEMBERED
    assert len(authenticator._rows) == 0


@pytest.mark.parametrize("query", ["key={}", "x=1&authorization=Bearer%20{}", "a={}&limit=1"])
async def test_a_key_in_the_url_is_refused_even_beside_a_good_one(calm: World, query: str) -> None:
    key = await calm.key("operate")
    for written in (key, key.replace("_", "%5F")):
        for method, target in (("GET", "/v1/runs"), ("POST", "/v1/events")):
            reply = await calm.call(method, f"{target}?{query.format(written)}", key)
            assert reply.status == 400
            assert key.encode() not in reply.body


async def test_no_key_stands_in_an_error_or_a_log_line(it: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = await it.key("read")
    replies = [
        await it.call("GET", "/v1/keys", key),
        await it.call("GET", "/v1/runs?status=x", key),
        await it.call("GET", "/v1/runs", key[:-1]),
        await it.call("GET", f"/v1/runs?{key}", key),
    ]

    assert [reply.status for reply in replies] == [403, 422, 401, 400]
    assert all(key[-43:-1].encode() not in reply.body for reply in replies)
    assert key[-43:-1] not in caplog.text


async def test_when_a_key_was_last_used_is_noted_once_an_hour(it: World) -> None:
    key = await it.key("read")
    name = f"key_{key[9:45]}"

    async def used() -> float | None:
        row = await it.harness.database.read(keys.find, name)
        assert isinstance(row, Key)
        return row.used

    first = it.harness.clock.now()
    await status(it, key)
    it.harness.clock.advance(1800)
    await status(it, key)
    assert await used() == first
    it.harness.clock.advance(1801)
    await status(it, key)
    assert await used() == it.harness.clock.now()


async def test_a_new_key_is_told_once_works_and_belongs_to_its_maker(it: World) -> None:
    operator = await it.key("operate", tenant="acme")
    made = await it.call("POST", "/v1/keys", operator, JSON, {"name": "ci", "scopes": ["publish"]})
    listed = await it.call("GET", "/v1/keys", operator)

    text = made.json()["key"]
    assert made.status == 201
    assert (await it.post([], key=text)).status == 202
    assert await status(it, text) == 403
    assert text.encode() not in listed.body and b"hash" not in listed.body
    newest = listed.json()["items"][0]
    assert (newest["name"], newest["scopes"]) == ("ci", ["publish"])
    row = await it.harness.database.read(keys.find, made.json()["id"])
    assert row is not None and row.tenant == "acme"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "", "scopes": ["read"]}, "/name"),
        ({"name": "n"}, "/scopes"),
        ({"name": "n", "scopes": []}, "/scopes"),
        ({"name": "n", "scopes": ["admin"]}, "/scopes/0"),
        ({"name": "n", "scopes": "read"}, "/scopes"),
        ({"name": "n", "scopes": ["read"], "tenant": "other"}, "/tenant"),
        ({"name": "n", "scopes": ["read"], "expires": EXPIRED}, "/expires"),
        ({"name": "n", "scopes": ["read"], "expires": "soon"}, "/expires"),
        ({"name": "n", "scopes": ["read"], "expires": "9999-12-31T23:59:59-23:00"}, "/expires"),
        ({"name": "n\n", "scopes": ["read"]}, "/name"),
        ({"name": 7, "scopes": ["read"]}, "/name"),
        ([], ""),
    ],
)
async def test_what_is_wrong_with_a_new_key_is_told_by_a_pointer(calm: World, body: Any, pointer: str) -> None:
    reply = await calm.call("POST", "/v1/keys", await calm.key("operate"), JSON, body)

    assert (reply.status, reply.flaw()[0]) == (422, pointer)
    assert b"admin" not in reply.body and b"soon" not in reply.body


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"name":"\\ud800"}', b"[" * 3000])
async def test_a_body_that_is_no_json_is_told_so(calm: World, body: bytes) -> None:
    assert (await calm.call("POST", "/v1/keys", await calm.key("operate"), JSON, body)).status == 400
