"""Callbacks: verified by the provider, tied to us by the reference, in the journal before the answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from angarium.errors import Invalid, Unavailable
from angarium.model.delivery import Delivery
from angarium.model.reasons import Priority, Reason, Status
from angarium.ports.broker import Record
from angarium.ports.provider import Forged, Report
from angarium.signing import reference
from tests.unit.api.world import SECRET, Reply, World

pytestmark = pytest.mark.asyncio(loop_scope="module")


def report(delivery: Delivery, account: str = "sms", **changes: Any) -> Report:
    ref = reference(SECRET, delivery.id, delivery.notification, Priority.critical, account)
    said = {"status": Status.delivered, "reason": Reason.delivered, "reference": "SM1", "dedup": "SM1/delivered"}
    return Report(**{"delivery": delivery.id, "ref": ref, **said, **changes})


async def send(it: World, *reports: Report, account: str = "sms", query: str = "") -> Reply:
    return await it.call("POST", f"/v1/callbacks/{account}{query}", body=msgspec.json.encode(reports))


async def told(it: World, result: str) -> float:
    """How many callbacks of the account `sms` came to this."""
    text = (await it.harness.metrics.render()).decode()
    lines = [line for line in text.splitlines() if f'callbacks_total{{account="sms",result="{result}"}}' in line]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


async def test_a_report_reaches_the_ledger_and_the_service_hears_what_it_wants(it: World) -> None:
    delivery = await it.sms()
    reply = await send(it, report(delivery))
    await it.harness.settle()

    assert (reply.status, reply.body, reply.headers["content-type"]) == (202, b"<thanks/>", "application/xml")
    assert (await it.harness.deliveries())[0].status is Status.delivered
    assert await told(it, "accepted") == 1


async def test_all_reports_of_a_callback_are_published_at_once_in_the_lane_of_their_notification(
    it: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = await it.sms()
    published: list[list[Record]] = []

    async def publish(records: list[Record]) -> None:
        published.append(records)

    monkeypatch.setattr(it.harness.broker, "publish", publish)
    await send(it, report(delivery), report(delivery, status=Status.read, dedup="SM1/read"))

    [records] = published
    assert {(record.topic, record.key) for record in records} == {
        (it.harness.topics.journal(Priority.critical), delivery.notification)
    }
    assert [msgspec.json.decode(record.value)["kind"] for record in records] == ["receipt", "receipt"]


async def test_a_callback_told_a_thousand_times_changes_the_ledger_once(it: World) -> None:
    delivery = await it.sms()
    for _ in range(1000):
        assert (await send(it, report(delivery))).status == 202
    await it.harness.settle()

    [row] = await it.harness.deliveries()
    assert (row.status, row.version) == (Status.delivered, delivery.version + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"ref": ""},
        {"ref": "ntf_x.c.aaaaaaaaaaaaaaaa"},
        {"delivery": "dlv_of_somebody_else"},
        {"account": "email"},
    ],
)
async def test_a_reference_that_we_did_not_sign_is_counted_and_answered_as_any_other(
    it: World, changes: dict[str, Any]
) -> None:
    delivery = await it.sms()
    journal = len(await it.records("journal"))
    account = changes.pop("account", "sms")
    strange, good = structs.replace(report(delivery, account), **changes), report(delivery, dedup="other")

    alone = await send(it, strange)
    assert (alone.status, alone.body) == (202, b"<thanks/>")
    assert len(await it.records("journal")) == journal
    assert (await send(it, strange, good)).status == 202
    assert len(await it.records("journal")) == journal + 1
    assert (await told(it, "unknown_reference"), await told(it, "accepted")) == (2, 1)


@pytest.mark.parametrize(
    ("error", "status", "result"),
    [(Forged("the hidden signature"), 403, "forged"), (Invalid("body", "is no form", "send one"), 422, "invalid")],
)
async def test_what_does_not_verify_or_cannot_be_read_is_refused_and_counted(
    it: World, error: Exception, status: int, result: str
) -> None:
    it.service.error = error
    reply = await send(it)

    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert b"hidden" not in reply.body
    assert await told(it, result) == 1


async def test_the_url_that_was_signed_is_the_public_one_whatever_the_host_header_says(it: World) -> None:
    headers = {"host": "evil.example.com", "X-Twilio-Signature": "s"}
    await it.call("POST", "/v1/callbacks/sms?delivery_id=dlv_1&ref=a%2Fb", headers=headers, body=b"[]")

    [seen] = it.service.callbacks
    assert seen.url == "https://notify.example.com/angarium/v1/callbacks/sms?delivery_id=dlv_1&ref=a%2Fb"
    assert (seen.account, seen.body, seen.headers["x-twilio-signature"]) == ("sms", b"[]", "s")


async def test_an_account_that_is_not_called_back_is_not_there(it: World) -> None:
    assert (await send(it, account="webhook")).status == 404
    assert (await it.call("GET", "/v1/callbacks/sms")).status == 405


async def test_a_body_over_a_mebibyte_is_refused_and_one_of_it_is_not(it: World) -> None:
    piece = b" " * 65536
    assert (await it.call("POST", "/v1/callbacks/sms", body=[b"[]", *[piece] * 16])).status == 413
    assert it.service.callbacks == []
    assert (await it.call("POST", "/v1/callbacks/sms", body=[b"[]" + piece[2:], *[piece] * 15])).status == 202


async def test_a_report_that_cannot_be_kept_is_asked_for_again(it: World, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = await it.sms()

    async def publish(records: list[Record]) -> None:
        raise Unavailable("broker")

    monkeypatch.setattr(it.harness.broker, "publish", publish)
    reply = await send(it, report(delivery))
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert await told(it, "accepted") == 0
