"""Hundreds of events through the example project: each is accounted for, on our side and at the stand-ins."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from angarium.model.workflow import FirstOf, Send
from angarium.project import load, read
from angarium.sandbox import journal
from tests.e2e import books, github
from tests.e2e.books import Figures
from tests.e2e.processes import free_ports
from tests.e2e.projects import GITHUB, USUAL, copied, hurried
from tests.e2e.server import Server


@pytest.mark.timeout(120)
def test_every_event_of_a_file_ends_with_a_reason_and_every_delivery_with_one_call(
    children: ExitStack, tmp_path: Path, record_property: Figures
) -> None:
    server = _server(children, tmp_path)
    events = github.events(400, seed=1)
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))

    accepted = server.command("send", "--file", str(file), "--json").json
    assert accepted["accepted"] == len(events)
    server.at_rest(60)
    audit = server.command("audit", "--json").json
    seen = books.settle(server, events, journal.calls(server.data / journal.FILE))

    assert audit["events"]["records"] == len(events)
    assert audit["events"]["distinct"] == len(books.names(events))
    assert audit["events"]["unmatched"] > 0
    assert audit["events"]["repeated"] == len(events) - len(books.names(events)) > 0
    assert books.repeats(seen) == 0
    assert len(seen) > len(events) / 2
    record_property("deliveries at the stand-ins", len(seen))


def test_a_person_is_told_of_every_channel_in_a_sentence(children: ExitStack, tmp_path: Path) -> None:
    server = _server(children, tmp_path)
    events = [event for event in github.events(60, seed=2) if "subject" in event]
    server.publish(*events)
    server.at_rest(30)

    people = {event["subject"] for event in events}
    stories = [story for who in people for story in server.explain(recipient=who)["notifications"]]
    assert stories
    workflows = load(read(GITHUB)).workflows
    for story in stories:
        steps = [step for step in workflows[story["workflow"]].steps if isinstance(step, Send | FirstOf)]
        told = {decision["channel"] for decision in story["decisions"] if decision["sentence"]}
        assert told >= {channel for step in steps for channel in step.channels}, story
    addresses = {f"{who}@example.com" for who in people} | {"+15005550006"}
    assert not [story for story in stories if any(address in json.dumps(story) for address in addresses)]


def test_a_file_sent_twice_repeats_nothing(children: ExitStack, tmp_path: Path) -> None:
    server = _server(children, tmp_path)
    events = github.events(80, seed=3)
    server.publish(*events)
    server.at_rest(30)
    before = list(journal.calls(server.data / journal.FILE))
    server.publish(*events)
    audit = server.at_rest(30)

    assert audit["ok"]
    assert list(journal.calls(server.data / journal.FILE)) == before


def _server(children: ExitStack, home: Path) -> Server:
    """The example project, its waits shortened, with the stand-ins on a port of their own."""
    [port] = free_ports(1)
    project = hurried(copied(GITHUB, home / "project", {USUAL: f"127.0.0.1:{port}"}))
    server = Server(children, home, project, SANDBOX__LISTEN=f"127.0.0.1:{port}")
    server.start()
    return server
