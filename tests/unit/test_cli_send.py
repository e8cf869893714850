"""`angarium send`: one event, followed to its end, and files of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from angarium.cli import bulk
from angarium.cli.bulk import Item
from angarium.client.answers import BadLine
from tests.unit.answering import Answer, Answering, answering
from tests.unit.shell import Shell

STORED = {"events": [{"id": "e-1", "source": "/v1/events", "run_url": "/v1/runs?event=e-1"}]}
ANNA = '{"id": "anna", "email": "anna@example.com"}'


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as script:
        script.on("POST /v1/events", Answer(202, STORED))
        yield script


@pytest.fixture
def shell(server: Answering, tmp_path: Path) -> Shell:
    return Shell(tmp_path, server.url)


def sent(server: Answering) -> Any:
    """The event that came."""
    return msgspec.json.decode(server.asked[0].body)


def decision(channel: str, status: str | None, sentence: str = "said", tries: int = 1) -> dict[str, Any]:
    return {
        "step": "0",
        "channel": channel,
        "sentence": sentence,
        "status": status,
        "tries": tries,
        "delivery": channel,
    }


def look(
    *decisions: dict[str, Any], status: str = "done", outcome: str | None = "matched", recipients: int = 1
) -> Answer:
    """What `explain` answers: one notification with these decisions, none when there are none."""
    run = {"id": "run_1", "workflow": "welcome", "recipients": recipients, "reason": None, "sentence": "1 recipient"}
    event = {"source": "/v1/events", "id": "e-1", "outcome": outcome, "sentence": "started welcome"}
    story = {"id": "ntf_1", "user": "anna", "workflow": "welcome", "status": status, "decisions": list(decisions)}
    told = {**event, "runs": [run] if outcome == "matched" else []}
    return Answer(200, {"events": [told], "notifications": [story] if decisions else [], "more": False})


def test_what_is_not_said_is_not_sent(shell: Shell, server: Answering) -> None:
    ran = shell.run("send", "user.signed_up")

    assert (ran.code, sent(server)) == (0, {"type": "user.signed_up"})
    assert ran.out.splitlines() == ["accepted e-1", "What becomes of it: angarium explain --event e-1"]


def test_every_option_says_its_part_of_the_event(shell: Shell, server: Answering) -> None:
    words = ["--to", ANNA, "--to", "bo", "--data", '{"n": 1}', "--id", "7", "--subject", "anna", "--source", "/shop"]
    shell.run("send", "order.shipped", *words, "--key", "k-1")

    assert sent(server) == {
        "type": "order.shipped",
        "to": [{"id": "anna", "email": "anna@example.com"}, "bo"],
        "data": {"n": 1},
        "id": "7",
        "subject": "anna",
        "source": "/shop",
    }
    assert server.asked[0].headers["idempotency-key"] == "k-1"


def test_data_come_from_a_file_or_from_standard_input_as_they_are(
    shell: Shell, server: Answering, tmp_path: Path
) -> None:
    (tmp_path / "data.json").write_text('{"n": 1.10}')
    shell.run("send", "a", "--data", "@data.json")
    shell.run("send", "a", "--data", "-", stdin=b"[1]")

    assert b'{"n": 1.10}' in server.asked[0].body
    assert msgspec.json.decode(server.asked[1].body)["data"] == [1]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a", "--to", "{"],
        ["a", "--data", "{secret"],
        ["a", "--data", "@gone.json"],
        ["a", "--repeat", "2"],
        ["--file", "gone.jsonl"],
        ["a", "--file", "-"],
        ["--file", "-", "--watch"],
        ["--file", "-", "--repeat", "0"],
    ],
)
def test_what_cannot_be_sent_is_told_before_anything_is(words: list[str], shell: Shell, server: Answering) -> None:
    ran = shell.run("send", *words)

    assert (ran.code, ran.out, server.asked) == (2, "", [])
    assert ran.err.count("\n") == 1
    assert "secret" not in ran.err


def test_a_refused_event_is_told_with_its_place(shell: Shell, server: Answering) -> None:
    flaw = {"pointer": "/to/email", "problem": "is not one e-mail address", "mend": "write it as name@example.com"}
    server.on("POST /v1/events", Answer(422, {"title": "Unprocessable Content", "errors": [flaw]}))
    ran = shell.run("send", "a", "--to", '{"email": "x"}')

    assert ran.code == 2
    assert ran.err == "angarium: /to/email: is not one e-mail address; write it as name@example.com\n"


def test_json_tells_what_the_server_told(shell: Shell) -> None:
    assert shell.run("send", "a", "--json").document == STORED["events"][0]


def test_watching_tells_each_change_once_until_all_is_at_rest(shell: Shell, server: Answering) -> None:
    server.on(
        "GET /v1/explain",
        look(outcome=None),
        look(decision("email", "sending", "email: under way"), status="running"),
        look(decision("email", "sending", "email: under way"), status="running"),
        look(decision("email", "sent", "email: sent"), decision("sms", "skipped", "sms: no address")),
        look(decision("email", "delivered", "email: delivered"), decision("sms", "skipped", "sms: no address")),
    )
    ran = shell.run("send", "user.signed_up", "--to", ANNA, "--watch", "--json")

    assert ran.code == 0
    assert [(line["status"], line["ms"]) for line in ran.lines] == [
        ("accepted", 0),
        ("sending", 50),
        ("sent", 150),
        ("skipped", 150),
        ("delivered", 200),
    ]
    assert server.asked[-1].target == "/v1/explain?event=e-1&source=%2Fv1%2Fevents&limit=500"


def test_a_line_for_people_has_time_status_person_and_reason(shell: Shell, server: Answering) -> None:
    server.on("GET /v1/explain", look(decision("email", "delivered", "email: sent by sendgrid on try 1")))
    ran = shell.run("send", "user.signed_up", "--watch")

    assert ran.out.splitlines() == [
        "      0 ms  accepted    user.signed_up is on disk as e-1",
        "      0 ms  delivered   anna · welcome · email: sent by sendgrid on try 1",
        "At rest. Why all this: angarium explain --event e-1",
    ]


def test_a_second_try_is_news(shell: Shell, server: Answering) -> None:
    looks = [look(decision("sms", "waiting", tries=n), status="running") for n in (1, 2)]
    server.on("GET /v1/explain", *looks, look(decision("sms", "delivered", tries=2)))

    statuses = [line["status"] for line in shell.run("send", "a", "--watch", "--json").lines]
    assert statuses == ["accepted", "waiting", "waiting", "delivered"]


@pytest.mark.parametrize(("channel", "seconds"), [("email", 1.0), ("inbox", 0.0)])
def test_a_receipt_is_waited_for_where_one_may_come(
    channel: str, seconds: float, shell: Shell, server: Answering
) -> None:
    server.on("GET /v1/explain", look(decision(channel, "sent")))

    assert shell.run("send", "a", "--watch").code == 0
    assert sum(shell.pauses) == pytest.approx(seconds, abs=0.051)


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled", "parked"])
def test_a_delivery_that_ended_badly_is_the_exit_code(status: str, shell: Shell, server: Answering) -> None:
    server.on("GET /v1/explain", look(decision("email", "delivered"), decision("sms", status)))

    assert shell.run("send", "a", "--watch").code == 1


@pytest.mark.parametrize("outcome", ["unmatched", "dead"])
def test_an_event_for_nobody_is_told_once_and_fails(outcome: str, shell: Shell, server: Answering) -> None:
    server.on("GET /v1/explain", look(outcome=None), look(outcome=outcome))
    ran = shell.run("send", "a", "--watch", "--json")

    assert ran.code == 1
    assert [line["status"] for line in ran.lines] == ["accepted", outcome]


def test_a_run_without_recipients_is_at_rest(shell: Shell, server: Answering) -> None:
    answer = look(recipients=0)
    answer.document["events"][0]["runs"][0]["reason"] = "no_recipient"
    server.on("GET /v1/explain", answer)
    ran = shell.run("send", "a", "--watch", "--json")

    assert [line["status"] for line in ran.lines] == ["accepted", "no_recipient"]


@pytest.mark.parametrize("document", [look(recipients=2), look(decision("email", "sending")), look(outcome=None)])
def test_who_watches_too_long_is_told_that_it_goes_on(document: Answer, shell: Shell, server: Answering) -> None:
    server.on("GET /v1/explain", document)
    ran = shell.run("send", "a", "--watch", "--timeout", "2s")

    assert ran.code == 1
    assert "after 2 s not all is at rest" in ran.err
    assert 1.9 < sum(shell.pauses) < 2.2


def test_an_explanation_of_another_kind_is_no_traceback(shell: Shell, server: Answering) -> None:
    server.on("GET /v1/explain", Answer(200, {"events": 7}))
    ran = shell.run("send", "a", "--watch")

    assert (ran.code, ran.err.count("\n")) == (1, 1)


def written(place: Path, events: Sequence[Any]) -> str:
    place.write_bytes(b"\n".join(msgspec.json.encode(event) for event in events) + b"\n")
    return place.name


def batches(server: Answering) -> list[list[Any]]:
    """The events of each request."""
    return [[msgspec.json.decode(line) for line in asked.body.split(b"\n")] for asked in server.asked]


def test_a_file_goes_in_batches_of_a_hundred(shell: Shell, server: Answering, tmp_path: Path) -> None:
    name = written(tmp_path / "events.jsonl", [{"type": "a", "id": str(n)} for n in range(250)])
    ran = shell.run("send", "--file", name, "--json")

    assert ran.code == 0
    assert ran.document["accepted"] == 250
    assert [len(batch) for batch in batches(server)] == [100, 100, 50]
    assert [event["id"] for batch in batches(server) for event in batch] == [str(n) for n in range(250)]
    assert {asked.headers["content-type"] for asked in server.asked} == {"application/x-ndjson"}
    assert not any("idempotency-key" in asked.headers for asked in server.asked)


def test_a_file_is_repeated_under_new_ids(shell: Shell, server: Answering) -> None:
    events = b'{"id":"x","type":"a","data":1.10}\n\n{"type":"b"}\n'
    shell.run("send", "--file", "-", "--repeat", "2", stdin=events)
    [batch] = batches(server)

    assert [event.get("id") for event in batch] == ["x-1", None, "x-2", None]
    assert server.asked[0].body.count(b"1.10") == 2
    assert server.asked[0].headers["idempotency-key"]


def test_a_files_key_is_another_one_for_each_batch(shell: Shell, server: Answering, tmp_path: Path) -> None:
    name = written(tmp_path / "events.jsonl", [{"type": "a"}] * 101)
    shell.run("send", "--file", name, "--key", "k")

    assert [asked.headers["idempotency-key"] for asked in server.asked] == ["k-0", "k-1"]


def test_a_busy_server_gets_the_same_batch_again(shell: Shell, server: Answering) -> None:
    busy = Answer(503, {"title": "Service Unavailable"}, {"retry-after": "2"})
    server.on("POST /v1/events", busy, busy, Answer(202, STORED))
    ran = shell.run("send", "--file", "-", stdin=b'{"type":"a"}')

    assert (ran.code, shell.pauses) == (0, [2.0, 2.0])
    assert len({(asked.body, asked.headers["idempotency-key"]) for asked in server.asked}) == 1


def test_a_server_that_stays_busy_is_given_up(shell: Shell, server: Answering) -> None:
    server.on("POST /v1/events", Answer(503, None, {"retry-after": "1"}))
    ran = shell.run("send", "--file", "-", stdin=b'{"type":"a"}')

    assert (ran.code, len(server.asked)) == (1, bulk.TRIES + 1)


def test_a_bad_line_is_named_by_the_files_own_count(shell: Shell, server: Answering) -> None:
    flaw = {"pointer": "/tpye", "problem": "is not known of an event", "mend": "did you mean type?", "line": 1}
    server.on("POST /v1/events", Answer(202, STORED), Answer(422, {"errors": [flaw]}))
    events = b'\n{"type":"a"}\n' * 100 + b'\n{"tpye":"a"}'
    ran = shell.run("send", "--file", "-", stdin=events)

    assert ran.code == 2
    assert ran.err.splitlines() == [
        "angarium: 100 events were accepted before this:",
        "angarium: line 202: /tpye: is not known of an event; did you mean type?",
    ]


@pytest.mark.parametrize(("line", "where"), [(b"{", "line 2"), (b"[]", "line 2"), (b'{"id": 7}', "line 2: /id")])
def test_a_line_that_is_no_event_is_named(line: bytes, where: str, shell: Shell) -> None:
    ran = shell.run("send", "--file", "-", "--repeat", "1", stdin=b'{"type":"a"}\n' + line)

    assert ran.code == 2
    assert where in ran.err


def test_batches_are_bounded_by_their_bytes_too() -> None:
    items = [Item(n, b"x" * size, named=True) for n, size in enumerate([4, 4, 4, 20, 1])]
    assert [[item.line for item in batch] for batch in bulk.batches(items, most=3, size=10)] == [[0, 1], [2], [3], [4]]


def test_an_empty_file_is_no_mistake(shell: Shell, server: Answering) -> None:
    assert shell.run("send", "--file", "-", "--json").document["accepted"] == 0
    assert server.asked == []


def test_a_bad_line_is_an_invalid_with_its_number() -> None:
    with pytest.raises(BadLine, match="line 1") as told:
        list(bulk.items(lambda: [b"nonsense"]))
    assert told.value.line == 1
