"""Delivery services that fail in every scripted way: what is concluded, what is repeated, and what goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tests.e2e.processes import free_ports, until
from tests.e2e.projects import wired, written
from tests.e2e.server import Server
from tests.e2e.stand_ins import StandIns

#: Seconds after which a call is given up.
TIMEOUT = 1.0
CHANNELS = {"sendgrid": "email", "twilio": "sms", "webhook": "webhook"}
OPEN = frozenset({"planned", "waiting", "sending", "unknown"})


class Fault(Struct, frozen=True):
    """One call goes wrong so. `kind` and `reason` are the line that tells of it; `calls` is how many there are then."""

    mode: str
    kind: str
    reason: str
    calls: int


class Site:
    """A server and its stand-ins, which one module's tests share."""

    def __init__(self, server: Server, stand_ins: StandIns) -> None:
        self.server, self.stand_ins = server, stand_ins

    def person(self) -> dict[str, str]:
        """Somebody with every address."""
        hook = f"{self.stand_ins.url}/hooks/anna"
        return {"id": "anna", "email": "anna@example.com", "phone": "+12025550101", "webhook": hook}

    def ping(self, type_: str) -> str:
        """Publish one; its event id."""
        [told] = self.server.publish({"type": f"{type_}.ping", "to": self.person()})
        return str(told["id"])

    def story(self, event: str) -> dict[str, Any] | None:
        """The one notification of an event, once it is known and its deliveries are at rest."""
        for story in self.server.explain(event=event)["notifications"]:
            statuses = {decision["status"] for decision in story["decisions"]}
            if statuses and not statuses & {None, *OPEN}:
                return dict(story)
        return None

    def ended(self, event: str, status: str) -> dict[str, Any]:
        """The notification, once its first delivery stands so."""

        def look() -> dict[str, Any] | None:
            story = self.story(event)
            return story if story and story["decisions"][0]["status"] == status else None

        return until(look, 15, f"a delivery is {status}: {self.server.explain(event=event)}")

    def calls(self, provider: str) -> int:
        """How many calls came so far, accepted or not."""
        return int(self.stand_ins.counts()[provider]["calls"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as children:
        yield opened(children, tmp_path_factory.mktemp("faults"), TIMEOUT)


def opened(children: ExitStack, home: Path, timeout: float, **settings: str) -> Site:
    """A running server whose accounts give a call up after `timeout` seconds, and its stand-ins."""
    project, [port] = written(home / "project"), free_ports(1)
    server = Server(children, home, project, **settings)
    stand_ins = StandIns(children, home, port, server.url)
    wired(project, stand_ins, server.url, timeout=timeout)
    server.start()
    return Site(server, stand_ins)


@pytest.mark.parametrize("provider", CHANNELS)
@pytest.mark.parametrize(
    "fault",
    [
        Fault("429", "deferred", "rate_limited", 2),
        Fault("500", "unknown", "server_error", 2),
        Fault("hang", "unknown", "timeout", 2),
        Fault("reset", "unknown", "reset_after_write", 2),
    ],
    ids=lambda fault: fault.mode,
)
def test_a_call_that_was_not_taken_is_concluded_so_and_made_again(site: Site, provider: str, fault: Fault) -> None:
    before, taken = site.calls(provider), site.stand_ins.taken()
    site.stand_ins.script(provider, mode=fault.mode, count=1)
    channel = CHANNELS[provider]
    story = site.ended(site.ping(channel), "sent" if channel == "webhook" else "delivered")
    told = [(line["kind"], line["reason"]) for line in story["timeline"]]

    assert (fault.kind, fault.reason) in told, told
    assert site.calls(provider) - before == fault.calls
    [delivery] = (site.stand_ins.taken() - taken).items()
    assert delivery == (story["decisions"][0]["delivery"], 1)
    assert story["decisions"][0]["tries"] == fault.calls


@pytest.mark.parametrize("provider", ["sendgrid", "twilio"])
@pytest.mark.parametrize("mode", ["garbage", "accept_then_hang"])
def test_a_call_that_was_taken_without_a_word_is_settled_by_the_callback_and_not_repeated(
    site: Site, provider: str, mode: str
) -> None:
    before = site.calls(provider)
    site.stand_ins.script(provider, mode=mode, count=1)
    story = site.ended(site.ping(CHANNELS[provider]), "delivered")
    site.server.at_rest(15)

    assert site.calls(provider) - before == 1
    assert site.stand_ins.taken()[story["decisions"][0]["delivery"]] == 1


def test_a_receiver_that_answers_nothing_hears_of_it_again_under_the_same_id(site: Site) -> None:
    site.stand_ins.script("webhook", mode="accept_then_hang", count=1)
    story = site.ended(site.ping("webhook"), "sent")
    calls = [call for call in site.stand_ins.calls() if call.delivery_id == story["decisions"][0]["delivery"]]

    assert [call.repeated for call in calls] == [False, True]


def test_nobody_is_called_earlier_than_a_service_asked(site: Site) -> None:
    site.stand_ins.script("sendgrid", mode="429", count=1, retry_after=2)
    story = site.ended(site.ping("email"), "delivered")
    [call] = [call for call in site.stand_ins.calls() if call.delivery_id == story["decisions"][0]["delivery"]]
    [asked] = [line["at"] for line in story["timeline"] if line["kind"] == "deferred"]

    assert call.at - datetime.fromisoformat(asked).timestamp() > 2 - TIMEOUT / 10


def test_with_callbacks_off_a_silent_acceptance_is_repeated_after_the_reconcile_wait(site: Site) -> None:
    site.stand_ins.script("twilio", mode="accept_then_hang", count=1, callbacks="off")
    event = site.ping("sms")
    try:
        story = site.ended(event, "sent")
    finally:
        site.stand_ins.script("twilio", callbacks="on")
    first, second = (
        call.at for call in site.stand_ins.calls() if call.delivery_id == story["decisions"][0]["delivery"]
    )
    assert second - first >= TIMEOUT + 1  # the reconcile wait of the category


def test_email_goes_on_while_every_sms_hangs(site: Site) -> None:
    site.stand_ins.script("twilio", mode="hang")
    try:
        events = [site.ping("all") for _ in range(20)]
        until(lambda: _delivered(site, events, "email") == 20, 10, "every e-mail is delivered")
        assert _delivered(site, events, "sms") == 0
    finally:
        site.stand_ins.script("twilio", mode="ok")
    until(lambda: _delivered(site, events, "sms") == 20, 40, "every SMS is delivered")


def test_all_of_this_leaves_the_books_in_order(site: Site) -> None:
    audit = site.server.at_rest(30)
    assert audit["ok"], audit["holes"]


def test_a_stop_waits_for_a_hanging_call_no_longer_than_the_drain_and_the_call_is_made_again(
    children: ExitStack, tmp_path: Path
) -> None:
    site = opened(children, tmp_path, timeout=30, DRAIN="1")
    site.stand_ins.script("twilio", mode="hang", count=1)
    event = site.ping("sms")
    until(lambda: site.calls("twilio") == 1, 10, "the call hangs")
    assert site.server.child.stop(10) == 0
    site.server.start()
    story = site.ended(event, "delivered")

    assert "lease_lapsed" in {line["reason"] for line in story["timeline"]}
    assert site.stand_ins.taken() == {story["decisions"][0]["delivery"]: 1}


def _delivered(site: Site, events: list[str], channel: str) -> int:
    stories = [story for event in events for story in site.server.explain(event=event)["notifications"]]
    return sum(
        decision["status"] == "delivered" and decision["channel"] == channel
        for story in stories
        for decision in story["decisions"]
    )
