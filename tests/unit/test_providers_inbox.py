"""The inbox: rows in our own table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from angarium.database import tables
from angarium.database.engine import Database
from angarium.errors import Unavailable
from angarium.model.message import Item, Sms
from angarium.model.reasons import Reason
from angarium.model.result import Rejected, Retry, Sent
from angarium.providers import inbox
from angarium.testing.contracts.provider import NOW, NoDatabase, Rig
from angarium.testing.transport import ScriptedTransport

ITEM = Item(id="dlv_1", user="ann", title="Hello", body="Hello, Ann.", url="https://shop.example", data={"order": 7})
RIG = Rig(kind=inbox.Provider, settings={}, message=ITEM)


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    async with Database("sqlite://", inline=True) as database:
        yield database


async def stored(database: Database) -> list[Any]:
    found = await database.read(lambda connection: connection.execute(select(tables.inbox)).mappings().all())
    return [{**row, "data": msgspec.json.decode(row["data"])} for row in found]


async def test_an_item_is_a_row_of_its_user(database: Database) -> None:
    assert await RIG.build(ScriptedTransport(), database).send(ITEM) == Sent("dlv_1")
    [row] = await stored(database)
    assert row["delivery"] == "dlv_1"
    assert (row["tenant"], row["user"], row["title"], row["body"]) == ("default", "ann", "Hello", "Hello, Ann.")
    assert (row["url"], row["data"], row["created"]) == ("https://shop.example", {"order": 7}, NOW)


async def test_a_second_call_for_a_delivery_has_no_second_effect(database: Database) -> None:
    provider = RIG.build(ScriptedTransport(), database)
    assert provider.idempotent
    assert await provider.send(ITEM) == await provider.send(msgspec.structs.replace(ITEM, title="Again"))
    assert [row["title"] for row in await stored(database)] == ["Hello"]


async def test_a_message_for_another_channel_is_rejected_without_a_row() -> None:
    sms = Sms(id="dlv_1", to="+15005550006", text="Hello")
    assert await RIG.build(ScriptedTransport(), NoDatabase()).send(sms) == Rejected(Reason.invalid_content)


async def test_a_database_that_does_not_answer_is_tried_again() -> None:
    class Down:
        async def write(self, query: Any, *arguments: Any) -> Any:
            raise Unavailable("database")

    assert await RIG.build(ScriptedTransport(), Down()).send(ITEM) == Retry(Reason.unavailable)
