"""What comes in: a server killed under its clients, requests that are wrong, and records that nobody can read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from angarium.app.clock import SystemClock
from angarium.brokers.sqlite import SqliteBroker
from angarium.model.reasons import Priority
from angarium.pipeline.topics import Topics
from angarium.ports.broker import Record
from tests.e2e.plain_http import Unanswered, exchange
from tests.e2e.processes import until
from tests.e2e.projects import written
from tests.e2e.server import JSON, NDJSON, Server, embedded

STRUCTURED = "application/cloudevents+json"
BODY = json.dumps({"type": "email.ping", "to": {"id": "anna", "email": "anna@example.com"}}).encode()


class Client:
    """Posts one event after another over one connection, each under a key of its own, until it gets no answer."""

    def __init__(self, server: Server, number: int, most: int) -> None:
        self._server, self._number, self._most = server, number, most
        self.answered: dict[str, str] = {}
        self.unanswered: str | None = None

    def run(self) -> None:
        """Until the server is gone, or `most` events were taken."""
        connection = HTTPConnection(urlsplit(self._server.url).netloc, timeout=15)
        for count in range(self._most):
            key = f"client-{self._number}-{count}"
            headers = self._server.headers(idempotency_key=key)
            try:
                answer = exchange(connection, "POST", "/v1/events", BODY, headers)
            except Unanswered:
                self.unanswered = key
                break
            assert answer.status == 202, answer.body
            self.answered[key] = answer.json["events"][0]["id"]
        connection.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("connections", [50, pytest.param(200, marks=pytest.mark.chaos)])
def test_killed_under_its_clients_it_keeps_every_202_and_a_resent_request_makes_one_run(
    connections: int, children: ExitStack, tmp_path: Path
) -> None:
    server = embedded(children, tmp_path, written(tmp_path / "project"))
    server.start()
    clients = [Client(server, number, most=1000) for number in range(connections)]
    with ThreadPoolExecutor(connections) as threads:
        running = [threads.submit(client.run) for client in clients]
        until(lambda: sum(len(client.answered) for client in clients) >= 6 * connections, 30, "requests are answered")
        server.child.kill()
        for one in running:
            one.result(30)
    answered = {key: event for client in clients for key, event in client.answered.items()}
    unanswered = [client.unanswered for client in clients if client.unanswered]
    assert unanswered

    server.start()
    for key in [*unanswered, *list(answered)[:20]]:
        answer = server.post(BODY, idempotency_key=key)
        assert answer.status == 202
        event = answer.json["events"][0]["id"]
        assert answered.setdefault(key, event) == event
    server.at_rest(60)
    runs = list(server.pages("runs"))

    assert len(set(answered.values())) == len(answered)
    assert sorted(run["event"] for run in runs) == sorted(answered.values())
    assert server.audit()["ok"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for every test that leaves it as it was."""
    home = tmp_path_factory.mktemp("ingest")
    with ExitStack() as children:
        server = embedded(children, home, written(home / "project"))
        server.start()
        yield server


DEEP = b"[" * 10_000 + b"]" * 10_000
EVENT: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "email.ping"}


@pytest.mark.parametrize(
    ("kind", "body", "status", "pointer"),
    [
        pytest.param(JSON, b'{"type": "email.ping",', 400, None, id="cut short"),
        pytest.param(JSON, b'{"type": "\xff\xfe"}', 400, None, id="not UTF-8"),
        pytest.param(JSON, b'{"type": "x", "data": NaN}', 400, None, id="not a number"),
        pytest.param(JSON, b'{"type": "x", "data": ' + DEEP + b"}", 400, None, id="nested too deeply"),
        pytest.param(JSON, b'{"type": 5}', 422, "/type", id="a type that is a number"),
        pytest.param(JSON, b'{"data": {}}', 422, "/type", id="no type"),
        pytest.param(JSON, b'{"type": "x", "tpo": "anna"}', 422, "/tpo", id="an unknown key"),
        pytest.param(JSON, b'{"type": "x", "to": [7]}', 422, "/to/0", id="a recipient that is a number"),
        pytest.param(JSON, b'[{"type": "x"}, {"typ": "x"}]', 422, "/1/typ", id="the second of a batch"),
        pytest.param(JSON, b'{"type": "x", "data": "' + b"y" * 300_000 + b'"}', 413, None, id="too large"),
        pytest.param(JSON, b'"email.ping"', 422, "", id="not an object"),
        pytest.param("text/plain", b"email.ping", 415, "content-type", id="an unknown form"),
        pytest.param(STRUCTURED, json.dumps({**EVENT, "specversion": "9"}).encode(), 422, "/specversion", id="version"),
        pytest.param(STRUCTURED, json.dumps({**EVENT, "angtenant": "x"}).encode(), 422, "/angtenant", id="our name"),
        pytest.param(STRUCTURED, json.dumps({**EVENT, "time": "today"}).encode(), 422, "/time", id="not a time"),
        pytest.param(NDJSON, b'{"type": "x"}\n{"type": 5}\n', 422, "/type", id="the second line"),
    ],
)
def test_a_wrong_request_is_told_where_it_is_wrong(
    served: Server, kind: str, body: bytes, status: int, pointer: str | None
) -> None:
    answer = served.post(body, kind)

    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer
        assert problem["errors"][0]["mend"]


def test_a_wrong_line_is_named_and_nothing_of_its_request_is_kept(served: Server) -> None:
    before = served.audit()["events"]["records"]
    problem = served.post(b'{"type": "email.ping"}\n\n{"type": 5}\n', NDJSON).json

    assert problem["errors"][0]["line"] == 3
    assert served.audit()["events"]["records"] == before


def test_without_a_key_or_with_a_wrong_one_nothing_is_taken(served: Server) -> None:
    mine = served.key
    try:
        for key in ("", "nonsense", mine[:-1] + ("A" if mine[-1] != "A" else "B")):
            served.key = key
            assert served.post(BODY).status == 401
    finally:
        served.key = mine
    assert served.post(BODY).status == 202


def test_a_key_that_may_only_publish_reads_nothing(served: Server) -> None:
    created = served.command("keys", "create", "producer", "--scope", "publish", "--json").json
    mine, served.key = served.key, created["key"]
    try:
        assert served.post(BODY).status == 202
        assert served.get("events/x").status == 403
        assert served.get("audit").status == 403
    finally:
        served.key = mine


def test_records_that_nobody_can_read_go_to_the_dead_letters_and_the_rest_flows_on(
    children: ExitStack, tmp_path: Path
) -> None:
    server = embedded(children, tmp_path, written(tmp_path / "project"))
    server.start()
    assert server.child.stop(20) == 0
    topics = Topics()
    poisoned = [topics.events(Priority.normal), topics.journal(Priority.normal), topics.deliver("email", Priority.bulk)]
    asyncio.run(_published(server.data / "broker.db", [Record(topic, "x", b"\xff no JSON") for topic in poisoned]))
    server.start()
    [told] = server.publish(json.loads(BODY))
    server.at_rest(20)
    listed = server.command("dead", "list", "--json").json

    assert sorted(letter["topic"] for letter in listed) == sorted(poisoned)
    assert {letter["reason"] for letter in listed} == {"undecodable"}
    assert server.event(("/v1/events", told["id"]))["outcome"] == "matched"
    until(lambda: [row["status"] for row in server.pages("deliveries")] == ["delivered"], 10, "the good one arrives")


async def _published(path: Path, records: list[Record]) -> None:
    async with SqliteBroker(path, SystemClock()) as broker:
        await broker.publish(records)
