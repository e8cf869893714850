"""What the ledger holds, as the routes tell it; cancels, dead letters, suppressions."""

from __future__ import annotations

from typing import Any

import pytest

from angarium.api.auth import TTL
from angarium.database import dead
from angarium.errors import Unavailable
from angarium.model.reasons import Reason, Status
from angarium.pipeline.handler import letter
from angarium.ports.broker import Record
from tests.unit.api.world import ANNA, CLOUDEVENT, JSON, World, cloudevent

pytestmark = pytest.mark.asyncio(loop_scope="module")

BERT = {"id": "bert", "email": "bert@example.com", "phone": "+15005550007"}


async def get(it: World, target: str, *scopes: str) -> Any:
    reply = await it.call("GET", target, await it.key(*(scopes or ("read",))))
    assert reply.status == 200, reply.body
    return reply.json()


async def test_an_event_is_told_with_its_runs(it: World) -> None:
    accepted = await it.post({"type": "user.signed_up", "to": [ANNA, BERT]})
    await it.harness.settle()
    event = await get(it, accepted.headers["location"])

    [run] = event["runs"]
    assert (event["type"], event["outcome"]) == ("user.signed_up", "matched")
    assert (run["workflow"], run["status"], run["recipients"]) == ("welcome", "running", 2)
    assert run["notifications"] == {"running": 2}
    assert run["started"] == event["accepted"] == "2023-11-14T22:13:20.000Z"


async def test_an_id_may_hold_anything_that_a_url_can_carry(it: World) -> None:
    names = ["a/b", "a b/ü?#", "%2F", "/", "//", "e1/cancel"]
    replies = [await it.post(cloudevent(id=name, source="https://x/?a=b&c"), CLOUDEVENT) for name in names]
    await it.harness.settle()

    assert [(await get(it, reply.headers["location"]))["id"] for reply in replies] == names


async def test_an_id_that_two_sources_use_needs_the_source(it: World) -> None:
    for source in ("/a", "/b"):
        await it.harness.publish("alarm", id="1", source=source)
    key = await it.key("read")
    reply = await it.call("GET", "/v1/events/1", key)

    assert (reply.status, reply.flaw()[0]) == (422, "?source")
    assert (await get(it, "/v1/events/1?source=/b"))["source"] == "/b"
    assert (await it.call("GET", "/v1/events/1?source=/c", key)).status == 404


async def test_a_run_is_what_all_its_notifications_are(it: World) -> None:
    await it.harness.publish("alarm", to=[ANNA, BERT])
    await it.harness.publish("alarm")
    runs = (await get(it, "/v1/runs"))["items"]

    assert {run["recipients"]: run["status"] for run in runs} == {2: "done", 0: "done"}
    assert {run["reason"] for run in runs} == {None, "no_recipient"}


async def test_pages_go_through_everything_once_newest_first(it: World) -> None:
    for number in range(5):
        await it.harness.publish("alarm", to=[ANNA, BERT], data=number)
        it.harness.clock.advance(1)
    for what, total in (("runs", 5), ("notifications", 10), ("deliveries", 10)):
        everything = (await get(it, f"/v1/{what}?limit=500"))["items"]
        pages, after = [], ""
        while after is not None:
            page = await get(it, f"/v1/{what}?limit=2{after and f'&after={after}'}")
            pages += page["items"]
            after = page["next"]

        assert pages == everything
        assert len({item["id"] for item in pages}) == total
        times = [item.get("started") or item.get("created") for item in pages]
        assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("target", "count"),
    [
        ("notifications?status=running", 1),
        ("notifications?status=done", 1),
        ("notifications?user=anna", 2),
        ("notifications?user=anna&workflow=alarm", 1),
        ("notifications?category=urgent", 1),
        ("notifications?run=run_x", 0),
        ("deliveries?channel=sms", 1),
        ("deliveries?channel=sms&status=sent", 1),
        ("deliveries?status=failed", 0),
        ("deliveries?account=email", 1),
        ("deliveries?reason=accepted", 2),
        ("deliveries?user=bert", 0),
        ("runs?workflow=alarm", 1),
        ("runs?category=default", 1),
        ("runs?event=e9", 0),
        ("runs?after=run_of_nobody", 0),
    ],
)
async def test_filters_are_equalities_and_combine(two: World, target: str, count: int) -> None:
    assert len((await get(two, f"/v1/{target}"))["items"]) == count


@pytest.mark.parametrize(
    ("target", "pointer"),
    [
        ("runs?limit=0", "?limit"),
        ("runs?limit=501", "?limit"),
        ("runs?limit=many", "?limit"),
        ("notifications?status=sent", "?status"),
        ("deliveries?stats=sent", "?stats"),
        ("deliveries?tenant=other", "?tenant"),
        ("deliveries?request=x", "?request"),
        ("deliveries/x?delivery=y", "?delivery"),
        ("suppressions?after=x", "?after"),
        ("suppressions?channel=fax", "?channel"),
        ("runs?after=" + "x" * 300, "?after"),
    ],
)
async def test_a_parameter_that_is_wrong_or_unknown_is_named(calm: World, target: str, pointer: str) -> None:
    reply = await calm.call("GET", f"/v1/{target}", await calm.key("operate"))

    assert (reply.status, reply.flaw()[0]) == (422, pointer)
    assert reply.headers["content-type"] == "application/problem+json"


async def test_addresses_are_masked_unless_the_key_may_operate(it: World) -> None:
    delivery = await it.sms()
    for target in (f"/v1/deliveries/{delivery.id}", "/v1/deliveries"):
        masked, whole = await get(it, target, "read"), await get(it, target, "operate")
        assert "+1***" in str(masked) and "5005550006" not in str(masked)
        assert "+15005550006" in str(whole)


async def test_one_of_each_is_told_by_its_id(it: World) -> None:
    delivery = await it.sms()
    told = await get(it, f"/v1/deliveries/{delivery.id}")
    notification = await get(it, f"/v1/notifications/{delivery.notification}")

    assert (told["status"], told["try"], told["reason"]) == ("sent", 1, "accepted")
    assert (notification["status"], notification["user"]) == ("done", "anna")
    assert (await get(it, f"/v1/runs/{delivery.run}"))["notifications"] == {"done": 1}
    assert not {"plan", "event", "person"} & notification.keys()


async def test_a_cancelled_notification_sends_nothing_more(it: World) -> None:
    await it.harness.publish("user.signed_up", to=ANNA)
    [notification] = await it.harness.notifications()
    reply = await it.call("POST", f"/v1/notifications/{notification.id}/cancel", await it.key("operate"))
    await it.harness.settle()
    told = await get(it, f"/v1/notifications/{notification.id}")
    await it.harness.advance("2h")

    assert (reply.status, reply.json()) == (202, {"id": notification.id, "open": 1})
    assert (told["status"], told["reason"]) == ("cancelled", "cancelled")
    assert [row.channel for row in await it.harness.deliveries()] == ["email"]


async def test_a_cancelled_run_ends_every_notification_also_those_that_have_not_started(it: World) -> None:
    await it.harness.publish("user.signed_up", to=[ANNA, BERT], settle=False)
    await it.harness.router.step()
    [run] = (await get(it, "/v1/runs"))["items"]
    reply = await it.call("POST", f"/v1/runs/{run['id']}/cancel", await it.key("operate"))
    await it.harness.settle()

    assert (reply.status, reply.json()["open"]) == (202, 0)
    assert (await get(it, f"/v1/runs/{run['id']}"))["notifications"] == {"cancelled": 2}
    assert it.harness.messages("email") == []


async def test_cancelling_twice_or_what_has_ended_is_harmless(it: World) -> None:
    delivery = await it.sms()
    key = await it.key("operate")
    replies = [await it.call("POST", f"/v1/runs/{delivery.run}/cancel", key) for _ in range(2)]
    await it.harness.settle()

    assert [(reply.status, reply.json()["open"]) for reply in replies] == [(202, 0)] * 2
    assert (await it.harness.deliveries())[0].status is Status.sent


async def test_explain_tells_why(it: World) -> None:
    delivery = await it.sms()
    told = await get(it, f"/v1/explain?notification={delivery.notification}")
    missing = await it.call("GET", "/v1/explain?notification=ntf_x", await it.key("read"))
    unheard = await it.harness.publish("user.signed_upp")

    assert "sent by sms" in told["notifications"][0]["decisions"][0]["sentence"]
    assert missing.status == 404
    [event] = (await get(it, f"/v1/explain?event={unheard.id}"))["events"]
    assert "user.signed_up?" in event["sentence"]


async def test_the_audit_counts_and_only_the_owner_of_the_installation_may_ask(it: World) -> None:
    await it.sms()

    assert (await get(it, "/v1/audit", "operate"))["ok"] is True
    assert (await it.call("GET", "/v1/audit", await it.key("operate", tenant="acme"))).status == 403


async def bury(it: World, tenant: str = "default", number: int = 1, value: bytes = b"\xffnot json") -> str:
    record = Record(it.harness.topics.events(it.harness.release.matcher.priority("alarm")), "k", value, offset=number)
    died = letter(record, Reason.undecodable, "not a record of this topic", it.harness.clock.now() + number, tenant)
    await it.harness.database.write(dead.save, [died])
    return died.id


async def test_a_dead_letter_is_listed_shown_and_published_again_once(it: World) -> None:
    name, key = await bury(it), await it.key("operate")
    [listed] = (await get(it, "/v1/dead", "operate"))["items"]
    shown = await get(it, f"/v1/dead/{name}", "operate")
    first, again = [await it.call("POST", f"/v1/dead/{name}/replay", key) for _ in range(2)]
    insisted = await it.call("POST", f"/v1/dead/{name}/replay?again=true", key)

    assert (listed["id"], listed["reason"], listed["size"], listed["value"]) == (name, "undecodable", 9, None)
    assert shown["value"] == "\ufffdnot json"
    assert (first.status, again.status, insisted.status) == (202, 409, 202)
    assert [record.value for record in await it.records("events")] == [b"\xffnot json"] * 2
    assert (await get(it, f"/v1/dead/{name}", "operate"))["replayed"] is not None


async def test_dead_letters_come_in_pages(it: World) -> None:
    names = [await bury(it, number=number) for number in range(3)]
    first = await get(it, "/v1/dead?limit=2", "operate")
    second = await get(it, f"/v1/dead?limit=2&after={first['next']}", "operate")

    assert [item["id"] for item in first["items"] + second["items"]] == names[::-1]
    assert second["next"] is None


async def test_a_suppressed_address_gets_nothing_until_it_is_lifted(it: World) -> None:
    key, place = await it.key("operate"), {"channel": "sms", "address": ANNA["phone"]}
    made = await it.call("POST", "/v1/suppressions", key, JSON, place | {"reason": "unsubscribed"})
    await it.call("POST", "/v1/suppressions", key, JSON, place)
    await it.harness.publish("alarm", to=ANNA)
    listed = await get(it, "/v1/suppressions", "operate")
    lifted = [(await it.call("DELETE", "/v1/suppressions", key, JSON, place)).status for _ in range(2)]
    await it.harness.publish("alarm", to=ANNA)

    assert (made.status, made.json()["reason"], made.json()["source"]) == (201, "unsubscribed", f"api/key_{key[9:45]}")
    assert [(item["address"], item["reason"]) for item in listed["items"]] == [(ANNA["phone"], "unsubscribed")]
    assert lifted == [204, 404]
    assert sorted(row.status for row in await it.harness.deliveries()) == [Status.sent, Status.skipped]


async def test_suppressions_come_in_pages_whose_cursor_holds_no_address(it: World) -> None:
    key = await it.key("operate")
    for number in range(3):
        place = {"channel": "email", "address": f"user{number}@example.com"}
        await it.call("POST", "/v1/suppressions", key, JSON, place)
        it.harness.clock.advance(1)
    first = await get(it, "/v1/suppressions?limit=2&channel=email", "operate")
    second = await get(it, f"/v1/suppressions?limit=2&after={first['next']}", "operate")

    assert [item["address"][4] for item in first["items"] + second["items"]] == ["2", "1", "0"]
    assert (first["next"], second["next"]) == ("2", None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channel": "email", "address": "nobody"}, "/address"),
        ({"channel": "sms", "address": "0123"}, "/address"),
        ({"channel": "webhook", "address": "ftp://x"}, "/address"),
        ({"channel": "fax", "address": "1"}, "/channel"),
        ({"channel": "inbox", "address": ""}, "/address"),
        ({"channel": "inbox"}, "/address"),
        ({"channel": "inbox", "address": "anna", "reason": "delivered"}, "/reason"),
        ({"channel": "inbox", "address": "anna", "source": "me"}, "/source"),
    ],
)
async def test_what_is_wrong_with_a_suppression_is_told_by_a_pointer(calm: World, body: Any, pointer: str) -> None:
    reply = await calm.call("POST", "/v1/suppressions", await calm.key("operate"), JSON, body)
    assert (reply.status, reply.flaw()[0]) == (422, pointer)
    assert b"nobody" not in reply.body


async def test_a_database_that_does_not_answer_is_told_with_when_to_come_again(
    it: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await it.key("read")
    await it.call("GET", "/v1/runs", key)

    async def read(*_: Any) -> Any:
        raise Unavailable("database", "at a place nobody needs to know")

    monkeypatch.setattr(it.harness.database, "read", read)
    it.harness.clock.advance(TTL + 1.0)
    for method, target in (("GET", "/v1/runs"), ("POST", "/v1/events")):
        reply = await it.call(method, target, key)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert b"nobody" not in reply.body


async def test_a_defect_in_a_route_is_answered_without_detail_and_logged(
    it: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = await it.key("read")
    await it.call("GET", "/v1/runs", key)

    async def read(*_: Any) -> Any:
        raise ZeroDivisionError("hidden words")

    monkeypatch.setattr(it.harness.database, "read", read)
    reply = await it.call("GET", "/v1/runs", key, {"x-request-id": "r-2"})

    assert (reply.status, reply.headers["content-type"]) == (500, "application/problem+json")
    assert b"hidden" not in reply.body
    assert [vars(record)["request"] for record in caplog.records if record.name.startswith("angarium.")] == ["r-2"]


async def test_a_receipt_after_the_end_is_shown(it: World) -> None:
    delivery = await it.sms()
    await it.harness.report(delivery, Status.delivered)
    assert (await get(it, f"/v1/deliveries/{delivery.id}"))["status"] == "delivered"
