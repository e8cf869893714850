"""The example projects load, and every workflow of theirs makes messages of payloads as they come."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from angarium.config import sources
from angarium.decide.recipients import person
from angarium.errors import Invalid
from angarium.model.message import Email, Hook, Item, Sms
from angarium.model.reasons import Outcome, Reason, Status
from angarium.model.workflow import Delay, FirstOf
from angarium.pipeline.explain import Explanation, explain
from angarium.project import load, read
from angarium.testing import Harness

PROJECT = Path(__file__).parents[2] / "examples" / "github"
SAMPLE = [msgspec.json.decode(line) for line in (PROJECT / "sample.jsonl").read_bytes().splitlines()]
#: What GitHub always sends of these; all the rest may be missing.
LEAST = {
    "issue": ("number", "title", "html_url"),
    "pull_request": ("number", "title", "html_url"),
    "release": ("tag_name", "html_url"),
    "repository": ("full_name",),
    "alert": (),
    "security_advisory": (),
}


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    async with Harness.of(PROJECT) as made:
        yield made


async def publish(harness: Harness, event: Mapping[str, Any]) -> None:
    """One line of the sample, as an event that came in."""
    await harness.publish(**{name: value for name, value in event.items() if name != "specversion"})


async def told(harness: Harness, event: Mapping[str, Any]) -> Explanation:
    return await explain(harness.database, tenant="default", event=event["id"], now=harness.clock.now())


def least(event: dict[str, Any]) -> dict[str, Any]:
    """The same event with nothing in its data but what is always there."""
    data = event.get("data", {})
    kept = {name: {key: data[name][key] for key in keys} for name, keys in LEAST.items() if name in data}
    return {**event, **({"data": kept} if data else {})}


def test_the_configuration_is_one_and_the_sandbox_is_on() -> None:
    loaded = sources.load(PROJECT, {}, {})

    assert loaded.settings.sandbox is not None
    assert not any(loaded.settings.providers.values()), "no account has credentials, so none reaches people"


def test_each_kind_of_step_and_channel_is_shown_somewhere() -> None:
    workflows = load(read(PROJECT)).workflows.values()
    steps = [step for workflow in workflows for step in workflow.steps]

    assert [step for step in steps if isinstance(step, FirstOf) and step.within]
    assert [step for step in steps if isinstance(step, Delay)]
    assert [step for step in steps if step.when]
    assert {channel for step in steps for channel in getattr(step, "channels", ())} == {
        "email",
        "sms",
        "webhook",
        "inbox",
    }


async def test_every_workflow_makes_its_messages_of_the_sample(harness: Harness) -> None:
    for event in SAMPLE:
        await publish(harness, event)
    await harness.advance("1h")
    deliveries = await harness.deliveries()
    stories = [await told(harness, event) for event in SAMPLE]

    assert {run.workflow for one in stories for run in one.events[0].runs} == set(harness.release.workflows)
    assert [one.events[0].id for one in stories if one.events[0].outcome is Outcome.unmatched] == [
        "sample-star.created"
    ]
    assert Counter(delivery.status for delivery in deliveries) == {Status.sent: len(deliveries)}
    assert len(deliveries) > 25


@pytest.mark.parametrize("event", [least(event) for event in SAMPLE], ids=lambda event: event["id"])
async def test_the_templates_ask_for_nothing_that_may_be_missing(event: dict[str, Any], harness: Harness) -> None:
    await publish(harness, event)
    await harness.advance("1h")

    assert {delivery.reason for delivery in await harness.deliveries()} <= {Reason.accepted}


async def test_an_event_without_a_subject_is_for_nobody(harness: Harness) -> None:
    [event] = [event for event in SAMPLE if "subject" not in event and "to" not in event]
    await publish(harness, event)
    [run] = (await told(harness, event)).events[0].runs

    assert (run.workflow, run.recipients, run.reason) == ("security_alert", 0, Reason.no_recipient)


async def test_a_robots_login_becomes_an_address_that_can_be_used(harness: Harness) -> None:
    event = {**SAMPLE[0], "subject": "Deploy[bot]"}
    await publish(harness, event)
    [email] = [message for message in harness.messages("email") if isinstance(message, Email)]

    assert email.to == "deploy-bot@example.com"
    with pytest.raises(Invalid):
        person({"email": "deploy[bot]@example.com"}, "/to")


async def test_a_draft_is_no_reason_for_an_e_mail(harness: Harness) -> None:
    for event in SAMPLE:
        if event["type"] == "com.github.pull_request.opened":
            await publish(harness, event)

    assert [message.subject for message in harness.messages("email") if isinstance(message, Email)] == [
        "[acme/rocket] Weld the fins (#8)"
    ]
    assert [message.title for message in harness.messages("inbox") if isinstance(message, Item)] == [
        "Weld the fins",
        "WIP: paint it",
    ]


async def test_the_messages_say_what_happened(harness: Harness) -> None:
    for event in SAMPLE:
        await publish(harness, event)
    await harness.advance("1h")
    texts = {message.text for message in harness.messages("sms") if isinstance(message, Sms)}
    bodies = [msgspec.json.decode(hook.body) for hook in harness.messages("webhook") if isinstance(hook, Hook)]
    subjects = {message.subject for message in harness.messages("email") if isinstance(message, Email)}

    assert texts == {
        "acme/rocket #7 is yours now: https://github.example/acme/rocket/issues/7",
        "Security: Glue melts in the sun (created) https://github.example/acme/rocket/security/dependabot/1",
        "Security: a secret of the kind launch_code (created) https://github.example/acme/rocket",
        "Security: A wire hangs loose (closed by user) https://github.example/acme/rocket/security/code-scanning/3",
        "Security: glue is vulnerable (create) https://github.example/acme/rocket",
    }
    assert {"repository": "acme/rocket", "pull_request": 8, "merged": True} in bodies
    assert {"acme/rocket v1.2.0 is out", "Your review is wanted: Weld the fins", "Welcome, Anna"} <= subjects


async def test_html_shows_data_and_never_runs_it(harness: Harness) -> None:
    event = {**SAMPLE[0], "data": {**SAMPLE[0]["data"]}}
    event["data"]["issue"] = {**event["data"]["issue"], "html_url": "javascript:alert(1)", "title": "<script>"}
    await publish(harness, event)
    [email] = [message for message in harness.messages("email") if isinstance(message, Email)]

    assert "<script" not in email.html
    assert "<b>fins" not in email.html
    assert re.findall(r'href="([^"]*)"', email.html) == ["#"]
