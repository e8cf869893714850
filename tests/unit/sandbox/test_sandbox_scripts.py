"""Failure scripts, and the catcher with its page."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from typing import Any

import pytest

from angarium.sandbox.journal import calls
from angarium.transport.errors import CallFailed
from tests.unit.sandbox.world import World, letter

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_429_says_when_to_come_again_and_takes_nothing(it: World) -> None:
    await it.script(mode="429", retry_after=7)

    answer = await it.mail(letter())
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert list(calls(it.journal)) == []


async def test_a_500_lasts_for_as_many_calls_as_the_script_says(it: World) -> None:
    await it.script(mode="500", count=2)

    assert [(await it.mail(letter())).status for _ in range(3)] == [500, 500, 202]
    assert (await it.get("/_script"))["sendgrid"]["mode"] == "ok"


async def test_a_rate_is_spread_evenly_over_the_calls(it: World) -> None:
    await it.script(mode="500", rate=0.25)

    assert [(await it.mail(letter())).status for _ in range(8)] == [202, 202, 202, 500] * 2


@pytest.mark.parametrize(("mode", "stored"), [("hang", 0), ("accept_then_hang", 1)])
async def test_a_hang_answers_nobody_and_says_in_the_journal_whether_it_accepted(
    it: World, mode: str, stored: int
) -> None:
    await it.script(mode=mode)

    with pytest.raises(CallFailed, match="timeout after"):
        await it.mail(letter(), timeout=0.2)
    assert len(list(calls(it.journal))) == stored
    assert (await it.get("/_script"))["sendgrid"]["mode"] == mode


async def test_a_reset_reaches_the_client_as_one(it: World) -> None:
    await it.script(mode="reset")

    with pytest.raises(CallFailed, match="reset_after_write after"):
        await it.mail(letter())
    assert list(calls(it.journal)) == []


async def test_garbage_is_an_accepted_call_whose_answer_nobody_can_read(it: World) -> None:
    await it.script(mode="garbage")

    answer = await it.mail(letter())
    assert (answer.status, "x-message-id" in answer.headers) == (202, False)
    with pytest.raises(ValueError, match="utf-8"):
        answer.body.decode()
    assert len(list(calls(it.journal))) == 1


async def test_a_latency_delays_the_answer_but_not_the_call(it: World) -> None:
    await it.script(latency=30)

    with pytest.raises(CallFailed, match="timeout"):
        await it.mail(letter(), timeout=0.2)
    assert len(list(calls(it.journal))) == 1


async def test_a_script_changes_only_what_it_names(it: World) -> None:
    await it.script(latency=0.001, callbacks=2)
    await it.script(mode="429", rate=0.5, count=3, retry_after=1)
    rule = json.loads((await it.script(mode="500")).body)

    assert rule == {
        "mode": "500",
        "rate": 1.0,
        "count": None,
        "retry_after": None,
        "latency": 0.001,
        "callbacks": 2.0,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "mailgun"},
        {"mode": "explode"},
        {"mode": "500", "rate": 0},
        {"mode": "500", "rate": 1.5},
        {"mode": "500", "count": 0},
        {"latency": -1},
        {"callbacks": "maybe"},
        {"moed": "500"},
    ],
)
async def test_a_script_with_a_mistake_is_refused_whole(it: World, change: dict[str, Any]) -> None:
    before = await it.get("/_script")

    assert (await it.script(**change)).status == 400
    assert await it.get("/_script") == before


async def test_a_strangers_web_page_can_neither_script_nor_read(it: World) -> None:
    plain = {"content-type": "text/plain"}
    assert (await it.post("/_script", {"provider": "sendgrid", "mode": "500"}, plain)).status == 415
    reader, writer = await asyncio.open_connection("127.0.0.1", int(it.url.rpartition(":")[2]))
    writer.write(b"GET /_messages HTTP/1.1\r\nhost: rebound.example.com\r\nconnection: close\r\n\r\n")

    assert (await reader.read()).startswith(b"HTTP/1.1 421 ")
    writer.close()


async def test_the_catcher_tells_what_is_new_or_changed(it: World) -> None:
    await it.script(callbacks="off")
    await it.mail(letter(subject="<b>first</b>"))
    first = await it.get("/_messages")
    await it.mail(letter(delivery="dlv_2", content=[{"type": "text/html", "value": "<script>1</script>"}]))
    second = await it.get(f"/_messages?after={first['last']}")

    assert [caught["message"]["subject"] for caught in first["messages"]] == ["<b>first</b>"]
    assert [caught["message"]["html"] for caught in second["messages"]] == ["<script>1</script>"]
    assert [caught["delivery_id"] for caught in second["messages"]] == ["dlv_2"]


async def test_the_page_runs_its_own_script_and_nothing_else(it: World) -> None:
    page = await it.look("/")

    policy = page.headers["content-security-policy"]
    [script] = re.findall(rb"<script>(.*?)</script>", page.body, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{allowed}';" in policy
    assert b"innerHTML" not in page.body
    assert b'setAttribute("sandbox", "")' in page.body
    assert re.findall(rb"(?:src|href)=", page.body) == []
