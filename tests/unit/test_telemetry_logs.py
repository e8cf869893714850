"""Logs: one line a record, whatever is in it, and no secret, address or body."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.model.user import Address
from angarium.telemetry.logs import Handler, JsonFormatter, TextFormatter, configure, release
from angarium.telemetry.redaction import MASK, Redactor, address_hash

SECRET = b"k" * 32
CANARY = "hunter2canary"


class Lines:
    """A configured logger and what it wrote."""

    def __init__(self, format: str, secret: bytes = SECRET) -> None:  # noqa: A002
        self.stream = io.StringIO()
        self.handler = configure("debug", "json" if format == "json" else "text", self.stream, secret)
        self.log = logging.getLogger("angarium.pipeline.router")

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def told(self) -> dict[str, Any]:
        [line] = self.text.splitlines()
        found = json.loads(line)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def lines() -> Iterator[Lines]:
    made = Lines("json")
    yield made
    release(made.handler)


@pytest.fixture
def terminal() -> Iterator[Lines]:
    made = Lines("text")
    yield made
    release(made.handler)


def record(message: str, extra: dict[str, Any] | None = None) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"msg": message, "levelname": "INFO", "name": "angarium.x", "created": 0.0} | (extra or {})
    )


def test_a_record_is_one_json_object_with_its_fields(lines: Lines) -> None:
    lines.log.info("batch of %d done", 500, extra={"worker": "router", "records": 500, "took": 0.25, "late": False})

    found = lines.told()

    assert found.pop("at").endswith("Z")
    assert found == {
        "level": "info",
        "logger": "angarium.pipeline.router",
        "message": "batch of 500 done",
        "worker": "router",
        "records": 500,
        "took": 0.25,
        "late": False,
    }


def test_a_record_for_people_is_one_line_with_pairs() -> None:
    shown = TextFormatter(Redactor()).format(record("batch done", {"records": 500, "detail": "two words"}))

    assert shown == '00:00:00.000 INFO x: batch done records=500 detail="two words"'


@given(st.text(), st.dictionaries(st.text(min_size=1).map("x_".__add__), st.text() | st.floats() | st.binary()))
def test_whatever_is_logged_is_exactly_one_line(message: str, extra: dict[str, Any]) -> None:
    entry = record(message.replace("%", ""), extra)

    line = JsonFormatter(Redactor(SECRET)).format(entry)
    text = TextFormatter(Redactor(SECRET)).format(entry)

    json.loads(line, parse_constant=pytest.fail)
    assert line.isascii() and line.isprintable()
    assert len(text.splitlines()) == 1
    text.encode()


def test_a_terminal_is_sent_no_control_character_and_no_turn_of_writing(terminal: Lines) -> None:
    terminal.log.warning("a\x1b[31m\x9b1m\r\n\u202e\u2028b")

    [line] = terminal.text.splitlines()
    assert line.endswith("a\\u001b[31m\\u009b1m\\u000d\\u000a\\u202e\\u2028b")


@pytest.mark.parametrize(
    "name",
    [
        *("key", "api_key", "apikey", "secret", "webhook_secret", "token", "auth_token", "password", "Authorization"),
        *("signature", "cookie", "dsn", "credentials", "private_key", "otp"),
        *("body", "text", "html", "subject", "title", "data", "event", "payload", "headers", "value"),
    ],
)
def test_secrets_and_bodies_are_masked_by_the_name_of_the_field(lines: Lines, name: str) -> None:
    lines.log.info("x", extra={name: CANARY, "detail": {name: [CANARY]}})

    assert lines.told()[name] == MASK
    assert CANARY not in lines.text


@pytest.mark.parametrize(
    "name", ["address", "email", "phone", "to", "recipient", "user", "user_id", "sender", "home_address"]
)
def test_people_are_hashed_so_that_two_lines_about_one_can_be_matched(lines: Lines, name: str) -> None:
    lines.log.info("x", extra={name: "anna@example.com", "detail": [{name: ["anna@example.com", 7]}]})

    found = lines.told()

    assert found[name] == address_hash(SECRET, "anna@example.com")
    assert found["detail"] == [{name: [found[name], MASK]}]


def test_without_a_secret_people_are_masked() -> None:
    redactor = Redactor()

    assert redactor.field("email", "anna@example.com") == MASK
    assert redactor.text("to anna@example.com") == f"to {MASK}"


@pytest.mark.parametrize(
    "name", ["monkey", "broken", "keyboard", "mapping", "records", "reason", "topic", "topic_name"]
)
def test_names_that_only_contain_such_a_word_are_shown(name: str) -> None:
    assert Redactor().field(name, "shown") == "shown"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("POST https://user:hunter2@host/x", "POST https://***@host/x"),
        ("GET http://host/p?sig=hunter2&a=1#top", "GET http://host/p?***#top"),
        ("key ang_live_0190abcd_hunter2hunter2 is known", "key *** is known"),
        ("whsec_hunter2hunter2+/= is a secret", "*** is a secret"),
        ("SG.hunter2hunter2.x-y", "***"),
        ("authorization: Bearer hunter2", "authorization: Bearer ***"),
        ("authorization: Basic aHVudGVyMmh1bnRlcjI=", "authorization: Basic ***"),
        ("basic auth is fine", "basic auth is fine"),
        ("3 + 4 = 7, +1 is short, a@ is none, 2@", "3 + 4 = 7, +1 is short, a@ is none, 2@"),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_any_text(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


@pytest.mark.parametrize("quoted", ["anna@example.com", "anna.b+tag@sub.example.co", "+493012345678", "anna@localhost"])
@pytest.mark.parametrize("around", ["%s", "<%s>", "Key (email)=(%s) exists", "'%s' refused", "mailto:%s,"])
def test_addresses_are_found_in_the_words_of_other_libraries(quoted: str, around: str) -> None:
    shown = Redactor(SECRET).text(around % quoted)

    assert quoted not in shown
    assert f"<{address_hash(SECRET, quoted)}>" in shown


def test_a_hash_needs_the_secret_and_is_the_same_however_an_address_is_written() -> None:
    assert address_hash(SECRET, " Anna@Example.com") == address_hash(SECRET, "anna@example.com")
    assert address_hash(SECRET, "anna@example.com") != address_hash(b"other", "anna@example.com")
    assert address_hash(SECRET, "User1") != address_hash(SECRET, "user1")
    assert len(address_hash(b"s" * 500, "ä\ud800")) == 16


def test_an_object_is_named_by_its_type_and_never_shown(lines: Lines) -> None:
    lines.log.info("x", extra={"found": Address("email", CANARY), "raw": CANARY.encode(), "deep": [[[[[CANARY]]]]]})

    found = lines.told()

    assert (found["found"], found["raw"], found["deep"]) == ("<Address>", "<bytes>", [[[["<list>"]]]])


def test_a_long_text_is_cut(lines: Lines) -> None:
    lines.log.info("a" * 100_000)

    assert len(lines.text) < 2_300


def test_an_exception_is_told_with_its_causes_and_places_but_no_locals(lines: Lines) -> None:
    def act(password: str) -> None:
        raise ValueError("anna@example.com is unknown")

    try:
        try:
            act(CANARY)
        except ValueError as error:
            raise ExceptionGroup("two", [KeyError("first"), RuntimeError("second")]) from error
    except ExceptionGroup:
        lines.log.exception("worker ended")

    errors = lines.told()["errors"]

    assert [error.split(":")[0] for error in errors] == ["ExceptionGroup", "KeyError", "RuntimeError", "ValueError"]
    assert errors[3].startswith(
        f"ValueError: <{address_hash(SECRET, 'anna@example.com')}> is unknown (test_telemetry_logs"
    )
    assert " act < test_telemetry_logs.py:" in errors[3]
    assert CANARY not in lines.text


def test_an_exception_without_end_of_causes_is_cut(lines: Lines) -> None:
    error = ValueError("a")
    error.__context__ = other = ValueError("b")
    other.__context__ = error
    lines.log.error("x", exc_info=error)

    assert len(lines.told()["errors"]) == 5


def test_a_record_that_cannot_be_written_says_so_without_its_arguments(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    """Handed to the handler alone: that of pytest would raise."""
    lines.handler.handle(record("%d", {"args": (CANARY,)}))

    assert lines.told() == {
        "level": "error",
        "logger": "angarium.x",
        "message": "a record was unwritable",
    }
    assert CANARY not in "".join(capsys.readouterr())


def test_a_stream_that_is_closed_stops_nobody(lines: Lines) -> None:
    lines.stream.close()

    lines.handler.handle(record("x"))


def test_configuring_again_replaces_the_handler_and_releasing_leaves_nothing(lines: Lines) -> None:
    again = configure("warning", "json", stream := io.StringIO())
    lines.log.info("below the level")
    lines.log.warning("once")
    release(again)
    lines.log.error("after")

    assert lines.text == ""
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["once"]
    assert not [handler for handler in logging.getLogger().handlers if isinstance(handler, Handler)]


def test_others_are_heard_from_warnings_on(lines: Lines) -> None:
    logging.getLogger("uvicorn").info("chatter")
    logging.getLogger("uvicorn").warning("trouble")

    assert lines.told()["message"] == "trouble"
