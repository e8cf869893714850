"""What the sandbox keeps on disk and finds there: journal, keys, the demonstration; and how it starts alone."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from angarium.errors import Invalid
from angarium.model.delivery import Handover
from angarium.model.reasons import Priority
from angarium.model.user import Address
from angarium.model.workflow import Workflow
from angarium.ports.transport import Request
from angarium.project import load, read
from angarium.providers.sendgrid import Provider as SendGrid
from angarium.providers.twilio import Provider as Twilio
from angarium.providers.webhook import Provider as Webhook
from angarium.sandbox import demo
from angarium.sandbox.__main__ import address, main
from angarium.sandbox.catcher import is_near
from angarium.sandbox.credentials import FILE as KEYS
from angarium.sandbox.credentials import KEY_FILE, credentials
from angarium.sandbox.journal import FILE, Call, Journal, calls
from angarium.transport.http1 import Http1


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1:8090", True),
        ("[::1]:8090", True),
        ("localhost", True),
        ("sandbox:8090", True),
        ("notify.example.com", True),
        ("evil.example.com", False),
        ("", False),
        ("[", False),
    ],
)
def test_an_address_a_plain_name_and_our_public_host_are_near(host: str, near: bool) -> None:
    assert is_near(host, "https://notify.example.com") is near


def call(number: int) -> Call:
    return Call(at=1.0, provider="sendgrid", delivery_id=f"dlv_{number}", to="anna@example.com", reference=str(number))


async def test_calls_that_come_together_share_few_writes_and_none_is_answered_before_its_line_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = count_syncs(monkeypatch)
    path, done = tmp_path / FILE, asyncio.Event()
    missing: list[int] = []
    with Journal(path) as journal:
        opened = len(synced)

        def stored(number: int) -> None:
            if number not in {int(call.reference) for call in calls(path)}:
                missing.append(number)
            if number == 99:
                done.set()

        for number in range(100):
            journal.append(call(number), lambda number=number: stored(number), lambda: None)  # type: ignore[misc]
        await done.wait()

    assert missing == []
    assert len(synced) - opened == 2
    assert list(calls(path)) == [call(number) for number in range(100)]


def count_syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    synced: list[int] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append(file)
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    return synced


async def test_a_call_that_cannot_be_written_is_lost_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told = tmp_path / FILE, asyncio.Queue[str]()

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with Journal(path) as journal:
        with monkeypatch.context() as disk:
            disk.setattr(os, "fsync", full)
            journal.append(call(1), lambda: told.put_nowait("stored"), lambda: told.put_nowait("lost"))
            assert await told.get() == "lost"
        journal.append(call(2), lambda: told.put_nowait("stored"), lambda: told.put_nowait("lost"))
        assert await told.get() == "stored"

    assert list(calls(path)) == [call(2)]


def test_a_journal_with_a_foreign_line_is_refused_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(msgspec.json.encode(call(1)) + b"\nwhat is this\n")

    with pytest.raises(Invalid, match=r"sandbox\.jsonl: line 2"):
        list(calls(path))


def test_credentials_are_made_once_for_their_owner_alone_and_never_shown(tmp_path: Path) -> None:
    first, second = credentials(tmp_path / "new"), credentials(tmp_path / "new")

    assert first.keys == second.keys
    assert first.public_key == second.public_key
    assert credentials(tmp_path / "other").keys != first.keys
    for name in (KEYS, KEY_FILE):
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path / "new")) == [KEYS, KEY_FILE]
    assert first.keys.twilio_auth_token not in f"{first!r} {first.keys!r}"


@pytest.mark.parametrize("name", [KEYS, KEY_FILE])
def test_broken_credentials_are_an_error_that_tells_the_mend_and_not_the_content(tmp_path: Path, name: str) -> None:
    credentials(tmp_path)
    (tmp_path / name).write_text('{"sendgrid_api_key": "SG.secret"}')

    with pytest.raises(Invalid, match="new ones are made") as error:
        credentials(tmp_path)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("use", "provider"), [("sendgrid", SendGrid), ("twilio", Twilio), ("webhook", Webhook)])
def test_generated_settings_are_what_the_provider_asks_for(tmp_path: Path, use: str, provider: Any) -> None:
    settings = credentials(tmp_path).settings(use, "http://127.0.0.1:8090", use)

    assert isinstance(msgspec.convert(settings, provider.Settings), provider.Settings)


def test_a_provider_without_a_stand_in_is_left_alone(tmp_path: Path) -> None:
    assert credentials(tmp_path).settings("inbox", "http://127.0.0.1:8090", "inbox") == {}


async def test_a_lone_sandbox_says_where_it_listens_and_stops_at_a_signal(tmp_path: Path) -> None:
    arguments = ["-m", "angarium.sandbox", "--listen", "127.0.0.1:0", "--data", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    said = (await asyncio.wait_for(process.stderr.readline(), 20)).decode()
    async with Http1() as http:
        page = await http.call(Request(method="GET", url=said.split()[-1]))
    process.send_signal(signal.SIGTERM)

    assert page.status == 200
    assert await asyncio.wait_for(process.wait(), 10) == 0


def test_a_lone_sandbox_with_a_bad_address_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--listen", "8090", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "--listen: this is no address; write host:port, for example 127.0.0.1:8090\n"
    assert address("[::1]:8090") == ("::1", 8090)


def test_the_demo_repeats_itself_exactly_and_takes_every_person_to_every_type() -> None:
    people = demo.people()
    events = [demo.event(index, people) for index in range(15)]

    assert events == [demo.event(index, people) for index in range(15)]
    assert len({(event["type"], event["to"][0]["id"]) for event in events}) == 15
    assert len({event["id"] for event in events}) == 15
    assert demo.event(3, people, "again")["id"] == "again-3"


def test_the_demo_renders_every_message_to_every_person() -> None:
    release, people = load(read(demo.project())), demo.people()
    rendered = [
        release.content.message(handover(event, workflow, channel), tag="", callback_url="", deadline=0.0)
        for event in (demo.event(index, people) for index in range(15))
        for workflow in release.matcher.matching(event["type"])
        for channel in workflow.content[""]
    ]

    assert len(rendered) == 5 * (3 + 2 + 2)


def test_the_demo_asks_for_a_telephone_before_it_sends_a_text() -> None:
    release, people = load(read(demo.project())), demo.people()
    [when] = [step.when for step in release.workflows["welcome"].steps if step.when]

    assert [person["id"] for person in people if not release.expressions.evaluate(when, {"user": person})] == ["cyrus"]


def handover(event: dict[str, Any], workflow: Workflow, channel: str) -> Handover:
    [person] = event["to"]
    return Handover(
        delivery="dlv_1",
        notification="ntf_1",
        run="run_1",
        tenant="default",
        user=person["id"],
        try_=1,
        channel=channel,
        step="0",
        slot=channel,
        workflow=workflow.name,
        release="rel_1",
        content=None,
        category=workflow.category,
        priority=Priority.normal,
        on_unknown="reconcile",
        to=Address(channel, "anna@example.com"),
        locale="",
        person=Raw(msgspec.json.encode(person)),
        event=Raw(msgspec.json.encode(event | {"source": "/v1/events"})),
        accounts=(),
        expires=0.0,
        accepted=0.0,
    )
