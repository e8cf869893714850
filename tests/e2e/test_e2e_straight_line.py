"""From a command to a message: the packaged project, the stand-ins inside, nothing configured."""

from __future__ import annotations

from pathlib import Path

from angarium.sandbox import journal
from tests.e2e.books import Figures
from tests.e2e.processes import surroundings
from tests.e2e.server import Server, command

ANNA = '{"id":"anna","email":"anna@example.com"}'
#: Milliseconds from the hand-over to "delivered": what we promise is 1,000, a crowded machine gets more.
GENEROUS = 3_000


def test_an_event_is_watched_from_the_command_to_delivered(demo: Server, record_property: Figures) -> None:
    demo.command("send", "user.signed_up", "--to", ANNA, "--data", '{"plan":"plain"}', "--watch")
    told = demo.command("send", "user.signed_up", "--to", ANNA, "--data", '{"plan":"royal"}', "--watch", "--json").lines
    email = {line["status"]: line for line in told if line.get("channel") == "email"}

    assert told[0]["status"] == "accepted"
    assert "delivered" in email, told
    assert "delivered" in email["delivered"]["sentence"]
    assert email["delivered"]["ms"] < GENEROUS
    record_property("ms from hand-over to delivered", email["delivered"]["ms"])


def test_the_stand_in_took_the_message_that_the_ledger_names(demo: Server) -> None:
    demo.command("send", "user.signed_up", "--id", "one", "--to", ANNA, "--watch", "--json")
    [call] = journal.calls(demo.data / journal.FILE)
    [story] = demo.explain(recipient="anna")["notifications"]

    assert (call.provider, call.to) == ("sendgrid", "anna@example.com")
    assert call.delivery_id in {decision.get("delivery") for decision in story["decisions"]}


def test_a_failed_delivery_is_the_watching_commands_exit_code(demo: Server) -> None:
    person = '{"id":"mandane","email":"mandane@example.com","phone":"+15005550004"}'
    told = demo.command("send", "payment.failed", "--to", person, "--watch", "--json", code=1)

    assert [line["status"] for line in told.lines if line.get("channel") == "sms"][-1] == "failed"


def test_the_demo_ends_by_itself_with_an_audit_that_is_right(tmp_path: Path) -> None:
    told = command(surroundings(tmp_path), tmp_path, "demo", "--seconds", "4", "--rate", "4", "--json", within=45)

    assert told.code == 0, told.err
    assert told.lines[-1]["ok"] is True
    assert told.lines[-1]["events"]["matched"] >= 8
