"""Who gets it, and which addresses are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.decide.recipients import NoRecipient, is_inline, people, person, recipients
from angarium.errors import Invalid
from angarium.model.ids import digest
from angarium.model.reasons import Reason
from angarium.model.user import Person

ANN = Person(id="ann", email="ann@example.com")


def ids(found: tuple[Person, ...]) -> list[str]:
    return [one.id for one in found]


def test_the_events_own_recipients_win_over_the_workflow() -> None:
    assert recipients("{{ data.x }}", [ANN], "subject", "u1") == (ANN,)


def test_the_workflows_recipients_win_over_the_subject() -> None:
    assert ids(recipients("{{ data.x }}", None, "subject", ["u2", "u1"])) == ["u2", "u1"]
    assert ids(recipients("{{ data.x }}", [], "subject", "u1")) == ["u1"]
    assert recipients("x", None, None, {"id": "ann", "email": "ann@example.com"}) == (ANN,)


def test_without_either_the_subject_is_the_recipient() -> None:
    assert recipients(None, None, "u7", None) == (Person(id="u7"),)


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_a_workflow_whose_to_comes_to_nothing_has_no_recipient(empty: Any) -> None:
    with pytest.raises(NoRecipient, match="came to nothing") as caught:
        recipients("{{ data.x }}", None, "subject", empty)
    assert caught.value.reason is Reason.no_recipient


@pytest.mark.parametrize("subject", [None, "", "  "])
def test_an_event_that_names_nobody_has_no_recipient(subject: str | None) -> None:
    with pytest.raises(NoRecipient, match="neither recipients nor a subject"):
        recipients(None, None, subject, None)


def test_a_person_named_twice_gets_it_once_and_keeps_the_addresses() -> None:
    both = people(["ann", {"id": "ann", "email": "ann@example.com"}, "ben", "ann"])
    assert both == (ANN, Person(id="ben"))
    first = people([{"email": "a@example.com"}, {"email": "a@example.com", "name": "again"}])
    assert [one.name for one in first] == [None]


@pytest.mark.parametrize(
    ("table", "address"),
    [
        ({"phone": "+4915112345678", "email": "a@example.com"}, "a@example.com"),
        ({"webhook": "https://example.com/x", "phone": "+4915112345678"}, "+4915112345678"),
        ({"webhook": "https://example.com/x", "name": "hook"}, "https://example.com/x"),
        ({"id": "", "email": "a@example.com"}, None),
    ],
)
def test_an_inline_person_without_id_is_named_by_the_first_address(table: dict[str, Any], address: str | None) -> None:
    if address is None:
        with pytest.raises(Invalid, match="/to/id: is empty"):
            person(table, "/to")
    else:
        assert person(table, "/to").id == "p_" + digest(address)


def test_only_people_with_more_than_an_id_travel_with_the_event() -> None:
    assert is_inline(ANN)
    assert not is_inline(Person(id="ann"))


def test_a_full_person_is_read() -> None:
    found = person(
        {
            "id": "u1", "name": "Ann", "email": "ann+x@sub.example.com", "phone": "+4915112345678",
            "webhook": "http://127.0.0.1:9000/hook?a=b", "webhook_secret": "whsec_" + "a" * 32, "locale": "fa-IR",
            "timezone": "America/Argentina/Buenos_Aires", "data": {"plan": "pro"},
            "devices": [{"id": "d1", "channel": "webhook", "address": "https://example.com"}],
        },
        "/to",
    )  # fmt: skip
    assert (found.id, found.locale, found.data, found.devices[0].id) == ("u1", "fa-IR", {"plan": "pro"}, "d1")


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"email": "a@b,c@d"}, "/to/0/email: is not one e-mail address; write it as name@example.com"),
        ({"email": "a b@example.com"}, "/to/0/email: has a part before the @ that cannot be used"),
        ({"email": '"<x>"@example.com'}, "/to/0/email: has a part before the @ that cannot be used"),
        ({"email": ".a@example.com"}, "/to/0/email: has a part before the @"),
        ({"email": "a..b@example.com"}, "/to/0/email: has a part before the @"),
        ({"email": "a\u200eb@example.com"}, "/to/0/email: has a part before the @"),
        ({"email": "a@example"}, "/to/0/email: has no usable domain"),
        ({"email": "a@exa mple.com"}, "/to/0/email: has no usable domain"),
        ({"email": "a@-x.com"}, "/to/0/email: has no usable domain"),
        ({"email": "a@[127.0.0.1]"}, "/to/0/email: has no usable domain"),
        ({"email": "a@b.com\r\nRCPT TO:<x@y.z>"}, "/to/0/email: holds a control character; take it out"),
        ({"email": "a" * 300 + "@example.com"}, "/to/0/email: is longer than 254 characters"),
        ({"email": ["a@example.com"]}, "/to/0/email: is not a text"),
        ({"email": ""}, "/to/0/email: is not one e-mail address"),
        ({"phone": "015112345678"}, "/to/0/phone: is not a phone number in E.164 form; write it as +49"),
        ({"phone": "+49 151 12345678"}, "/to/0/phone: is not a phone number"),
        ({"phone": "+491511234567890123"}, "/to/0/phone: is not a phone number"),
        ({"phone": "+4915112345678\n"}, "/to/0/phone: holds a control character"),
        ({"phone": 4915112345678}, "/to/0/phone: is not a text"),
        ({"webhook": "ftp://example.com"}, "/to/0/webhook: is not an http or https URL"),
        ({"webhook": "javascript:alert(1)"}, "/to/0/webhook: is not an http or https URL"),
        ({"webhook": "https://user:secret@example.com"}, "/to/0/webhook: carries credentials"),
        ({"webhook": "https://evil.com\\@example.com"}, "/to/0/webhook: is not an http or https URL"),
        ({"webhook": "https:///x"}, "/to/0/webhook: has no usable host"),
        ({"webhook": "https://exa%00mple.com"}, "/to/0/webhook: has no usable host"),
        ({"webhook": "https://example.com:99999/"}, "/to/0/webhook: is not an http or https URL"),
        ({"webhook": "https://[::1/"}, "/to/0/webhook: is not an http or https URL"),
        ({"webhook": "https://" + "a" * 3000}, "/to/0/webhook: is longer than 2048 characters"),
        ({"id": "u1", "webhook_secret": "secret"}, "/to/0/webhook_secret: is not a signing secret"),
        ({"id": "u1", "nmae": None}, "/to/0/nmae: is not known of a person; did you mean name?"),
        ({"emial": "a@example.com"}, "/to/0/emial: is not known of a person; did you mean email?"),
        ({"a\nb": 1}, "/to/0: is not known of a person"),
        ({"x/y~z": 1}, "/to/0/x~1y~0z: is not known of a person"),
        ({"name": "Ann"}, "/to/0: has neither an id nor an address; give one of: id, email, phone, webhook"),
        ({}, "/to/0: has neither an id nor an address"),
        ({"id": "u\ud800"}, "/to/0/id: holds a control character"),
        ({"id": "u1", "locale": "e n"}, "/to/0/locale: is not a language tag"),
        ({"id": "u1", "timezone": "../etc/passwd"}, "/to/0/timezone: is not a time zone's name"),
        ({"id": "u1", "data": [1]}, "/to/0/data: is not a table"),
        ({"id": "u1", "devices": {}}, "/to/0/devices: is not a list"),
        ({"id": "u1", "devices": [{"id": "d"}]}, "/to/0/devices/0: lacks a part of a device"),
        ({"id": "u1", "devices": [{"idd": "d"}]}, "/to/0/devices/0: has a key that is not known of a device; did you"),
        (7, "/to/0: is neither an id nor a person"),
        ("", "/to/0: is empty; name a user's id"),
        (" ", "/to/0: is empty"),
        ("u" * 300, "/to/0: is longer than 256 characters"),
    ],
)  # fmt: skip
def test_what_is_no_person_is_refused_with_its_place(table: Any, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        people([table])
    assert str(caught.value).startswith(text)


@given(st.text(max_size=40))
def test_no_refusal_repeats_the_address(text: str) -> None:
    canary = f"canary7{text}"
    for field in ("email", "phone", "webhook"):
        try:
            found = person({field: canary}, "/to")
        except Invalid as error:
            assert "canary7" not in str(error)
        else:
            assert getattr(found, field) == canary
            assert found.email is None or canary.isprintable()


def test_too_many_recipients_are_refused() -> None:
    assert len(people([f"u{number}" for number in range(1000)])) == 1000
    with pytest.raises(Invalid, match="/to: names more than 1000 recipients"):
        people([f"u{number}" for number in range(1001)])
    with pytest.raises(Invalid, match="more than 2 recipients"):
        recipients(None, [Person(id=str(number)) for number in range(3)], None, None, 2)
    with pytest.raises(Invalid, match="/to: is an empty list"):
        people([])
