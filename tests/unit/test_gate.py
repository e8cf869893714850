"""Who may not be written to: the first rule that speaks, and suppressions however an address is spelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from angarium.database import gate as stored
from angarium.database import rows, tables
from angarium.decide.gate import ANY, Permissions, place, refusal
from angarium.decide.recipients import email
from angarium.model.category import Category
from angarium.model.reasons import Reason, Status
from angarium.model.timeline import Suppression
from angarium.model.user import Address
from angarium.testing import Harness

NEWS = Category(name="news")
MAIL = Address("email", "Anna@example.com")
Preferences = Mapping[tuple[str, str, str], bool]
NONE: Preferences = {}


def refused(preferences: Preferences = NONE, *, category: Category = NEWS, suppressed: Any = ()) -> Reason | None:
    return refusal(category, MAIL, "anna", Permissions(preferences, frozenset(suppressed)))


def test_nothing_said_is_allowed() -> None:
    assert refused() is None


@pytest.mark.parametrize(
    ("preferences", "reason"),
    [
        ({("anna", "news", "email"): False}, Reason.unsubscribed),
        ({("anna", ANY, ANY): False}, Reason.unsubscribed),
        ({("anna", ANY, ANY): False, ("anna", "news", ANY): True}, None),
        ({("anna", ANY, "email"): True, ("anna", "news", ANY): False}, Reason.unsubscribed),
        ({(ANY, "news", ANY): False}, Reason.unsubscribed),
        ({(ANY, "news", ANY): False, ("anna", ANY, ANY): True}, None),
        ({("bob", ANY, ANY): False}, None),
        ({("anna", "news", "sms"): False}, None),
    ],
)
def test_the_most_particular_word_of_the_person_comes_before_the_tenants(
    preferences: Preferences, reason: Reason | None
) -> None:
    assert refused(preferences) is reason


def test_a_category_names_the_channels_it_goes_over_unless_somebody_wants_another() -> None:
    over_sms = Category(name="news", channels=("sms",))
    assert refused(category=over_sms) is Reason.unsubscribed
    assert refused({("anna", "news", "email"): True}, category=over_sms) is None


def test_a_suppression_comes_before_preferences_and_gives_way_to_what_is_required() -> None:
    entry = [place("email", "anna@example.com")]
    assert refused({("anna", ANY, ANY): True}, suppressed=entry) is Reason.suppressed
    assert refused(category=Category(name="news", required=True), suppressed=entry) is None


@pytest.mark.parametrize("spelling", ["anna@example.com", "ANNA@EXAMPLE.COM", "Anna@Example.com"])
def test_every_spelling_of_a_mailbox_is_one_place(spelling: str) -> None:
    assert refused(suppressed=[place("email", spelling)]) is Reason.suppressed


def test_only_a_mailbox_has_several_spellings() -> None:
    url = "https://example.com/Hook"
    assert place("webhook", url) == ("webhook", url)
    assert place("inbox", "Anna") == ("inbox", "Anna")


@pytest.mark.parametrize(
    ("written", "kept"), [("Anna@Example.COM", "Anna@example.com"), ("a.B@x.example", "a.B@x.example")]
)
def test_a_domain_is_kept_in_small_letters_and_what_stands_before_it_as_it_was_written(written: str, kept: str) -> None:
    assert email(written, "/to") == kept


PROJECT = {
    "workflows/note.toml": b"""
on = "note"
steps = [{ send = "email" }]
email = { subject = "s", text = "t" }
"""
}


async def test_a_stored_suppression_is_found_by_every_spelling() -> None:
    async with Harness(PROJECT) as harness:
        entry = Suppression(
            tenant="default", channel="email", address="Anna@Example.com", reason=Reason.bounced, source="email", at=0.0
        )
        await harness.database.write(stored.suppress, [entry])
        keys, addresses = [("default", "anna")], ["aNNa@example.com"]
        found = (await harness.database.read(stored.permissions, keys, addresses))["default"]
        assert refusal(NEWS, Address("email", "aNNa@example.com"), "anna", found) is Reason.suppressed
        assert await harness.database.read(rows.everything, tables.suppressions, ("address",)) == [
            ("anna@example.com",)
        ]


async def test_a_complaint_is_not_evaded_by_another_spelling() -> None:
    async with Harness(PROJECT) as harness:
        await harness.publish("note", to={"id": "a", "email": "anna@example.com"})
        [sent] = await harness.deliveries()
        await harness.report(sent, Status.failed, Reason.complained)
        await harness.publish("note", to={"id": "b", "email": "Anna@Example.com"})
        assert len(harness.messages("email")) == 1
        assert [d.reason for d in await harness.deliveries() if d.user == "b"] == [Reason.suppressed]
