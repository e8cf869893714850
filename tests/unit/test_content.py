"""Hand-overs become messages; data stays data in every one of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from angarium import content
from angarium.content import Content, Unrenderable
from angarium.content.sms import segments
from angarium.content.templates import url
from angarium.errors import Invalid
from angarium.model.delivery import Handover
from angarium.model.message import Email, Hook, Item, Message, Sms
from angarium.model.reasons import Priority, Reason
from angarium.model.user import Address
from angarium.model.workflow import Workflow

DATA: dict[str, Any] = {
    "id": "A1",
    "url": "https://example.com/?a=b&c",
    "lines": [{"name": "tea", "n": 2}],
    "nothing": None,
}
PERSON = {"id": "ann", "name": "Ann", "data": {"plan": "pro"}}
HARMLESS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp"]))


def made(tables: dict[str, Any], files: Mapping[str, str] | None = None, **variants: dict[str, Any]) -> Content:
    workflow = Workflow(name="x", on=("order.shipped",), content={"": tables, **variants})
    return content.build([workflow], {path: text.encode() for path, text in (files or {}).items()})


def handed(channel: str, data: Any = None, person: Any = None, **changes: Any) -> Handover:
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/shop",
        "type": "order.shipped",
        "data": DATA if data is None else data,
    }
    fields: dict[str, Any] = {
        "delivery": "dlv_1", "notification": "ntf_1", "run": "run_1", "tenant": "default", "user": "ann", "try_": 1,
        "channel": channel, "step": "0", "slot": channel, "workflow": "x", "release": "rel_1", "content": None,
        "category": "default", "priority": Priority.normal, "on_unknown": "park", "locale": "en", "accounts": (),
        "to": Address(channel, "there"), "expires": 9.0, "accepted": 1_700_000_000.25,
        "person": Raw(msgspec.json.encode(PERSON if person is None else person)),
        "event": Raw(msgspec.json.encode(event)),
    }  # fmt: skip
    return Handover(**{**fields, **changes})


def message(found: Content, channel: str, data: Any = None, person: Any = None, **changes: Any) -> Message:
    handover = handed(channel, data, person, **changes)
    return found.message(handover, tag="ref", callback_url="https://me/v1/callbacks/twilio", deadline=5.0)


def email(table: dict[str, Any], data: Any = None, files: Mapping[str, str] | None = None, person: Any = None) -> Email:
    found = message(made({"email": table}, files), "email", data, person)
    assert isinstance(found, Email)
    return found


def test_an_email_is_rendered_with_all_its_parts() -> None:
    table = {
        "subject": "Order {{ data.id }} is on its way",
        "text": "Dear {{ user.name }}, {{ data.id }}{% for one in data.lines %} {{ one.n }}x{{ one.name }}{% endfor %}",
        "html": "@order.html",
        "from": "Shop <shop@example.com>",
        "reply_to": "{{ data.id }}@example.com",
        "headers": {"x-order": "{{ data.id }}", "auto-submitted": "auto-generated"},
    }
    found = email(
        table, files={"templates/order.html": "<p>{{ data.id }} for {{ user.data.plan }}, {{ delivery_id }}</p>\n"}
    )
    assert found == Email(
        id="dlv_1", to="there", to_name="Ann", sender="Shop <shop@example.com>", reply_to="A1@example.com",
        subject="Order A1 is on its way", text="Dear Ann, A1 2xtea", html="<p>A1 for pro, dlv_1</p>",
        headers={"x-order": "A1", "Auto-Submitted": "auto-generated"}, tag="ref", deadline=5.0,
    )  # fmt: skip


def test_an_sms_carries_its_callback() -> None:
    found = message(made({"sms": {"text": " {{ event.type }} {{ data.id }}\r\nbye\x07 "}}), "sms")
    assert found == Sms(
        id="dlv_1", to="there", text="order.shipped A1\nbye", callback_url="https://me/v1/callbacks/twilio",
        tag="ref", deadline=5.0,
    )  # fmt: skip


def test_a_webhook_sends_the_event_unless_told_otherwise() -> None:
    found = message(made({}), "webhook", to=Address("webhook", "https://example.com/h", secret="whsec_x"))
    assert isinstance(found, Hook)
    assert (found.url, found.secrets, found.tag, found.deadline) == ("https://example.com/h", ("whsec_x",), "ref", 5.0)
    assert msgspec.json.decode(found.body) == {
        "type": "order.shipped", "id": "dlv_1", "timestamp": "2023-11-14T22:13:20.250000Z", "data": DATA,
    }  # fmt: skip


def test_a_webhook_body_is_a_tree_with_native_values() -> None:
    tree = {
        "order": "{{ data.id }}",
        "lines": "{{ data.lines }}",
        "n": 3,
        "say": "Hi {{ user.name }}",
        "none": "{{ data.nothing }}",
    }
    found = message(made({"webhook": {"body": tree}}), "webhook")
    assert isinstance(found, Hook)
    expected = {"order": "A1", "lines": DATA["lines"], "n": 3, "say": "Hi Ann", "none": None}
    assert msgspec.json.decode(found.body) == expected
    assert found.secrets == ()


def test_an_inbox_item_belongs_to_the_user() -> None:
    table = {
        "title": "Order\n{{ data.id }}",
        "body": "a\nb",
        "url": "/orders/{{ data.id }}",
        "data": {"id": "{{ data.id }}"},
    }
    assert message(made({"inbox": table}), "inbox") == Item(
        id="dlv_1",
        user="ann",
        title="Order A1",
        body="a\nb",
        url="/orders/A1",
        data={"id": "A1"},
        tag="ref",
        deadline=5.0,
    )


def test_a_variant_is_used_where_it_is_named_and_falls_back() -> None:
    found = made({"sms": {"text": "own"}}, manager={"email": {"subject": "s", "text": "boss"}})
    assert getattr(message(found, "email", content="manager"), "text", "") == "boss"
    assert getattr(message(found, "sms", content="manager"), "text", "") == "own"
    assert isinstance(message(found, "webhook", content="manager"), Hook)
    with pytest.raises(Unrenderable, match="workflow x: has nothing to say over email") as caught:
        message(found, "email")
    assert caught.value.reason is Reason.content_missing


@given(st.text())
def test_any_text_as_data_stays_text(text: str) -> None:
    value = text + "{{ 7*7 }}{% for"
    found = message(MANY, "email", {"x": value})
    assert isinstance(found, Email)
    assert found.text == value
    assert _texts(found.html) == [value.replace("\r\n", "\n").replace("\r", "\n")]
    hook = message(MANY, "webhook", {"x": value})
    assert isinstance(hook, Hook)
    assert msgspec.json.decode(hook.body) == {"x": value, "t": f"<{value}>"}


MANY = made(
    {
        "email": {"subject": "s", "text": "{{ data.x }}", "html": '<p title="{{ data.x }}">{{ data.x }}</p>'},
        "webhook": {"body": {"x": "{{ data.x }}", "t": "<{{ data.x }}>"}},
    }
)


def _texts(html: str) -> list[str]:
    """The text of the page's one element, after checking that data brought no element or attribute of its own."""
    seen: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert (tag, [name for name, _ in attrs]) == ("p", ["title"])

        def handle_data(self, data: str) -> None:
            seen.append(data)

    reader = Reader()
    reader.feed(html.replace("\r\n", "\n").replace("\r", "\n"))
    reader.close()
    return ["".join(seen)]


@given(HARMLESS, st.text())
def test_no_header_field_holds_a_break_or_a_hidden_mark(word: str, text: str) -> None:
    evil = f"{word}\r\nBcc: x@y.z\u202e\u2028\x0b\x85\u200b{text}"
    table = {"subject": "{{ data.x }}", "text": "t", "from": "{{ data.x }}", "headers": {"X-A": "{{ data.x }}"}}
    found = email(table, {"x": evil}, person={"name": evil})
    for value in (found.subject, found.sender, found.headers["X-A"], found.to_name):
        assert len(value.splitlines()) == 1
        assert not set(value) & set("\r\n\x0b\x85\u2028\u202e\u200b\u2066")
        assert value.startswith(word)


def test_letters_that_need_joiners_keep_them_in_a_subject() -> None:
    subject = "\u0645\u06cc\u200c\u062e \U0001f469\u200d\U0001f4bb"
    assert email({"subject": subject, "text": "t"}).subject == subject


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{ data.missing }}", "data.missing"),
        ("{{ user.phone }}", "user.phone"),
        ("{{ data.id }} {{ data.x.y.z }}", "data.x.y.z"),
        ("{% if data.flag %}x{% endif %}", "data.flag"),
        ("{% for x in data.rows %}x{% endfor %}", "data.rows"),
        ("{{ data.a|default('') }}{{ data.b }}", "data.b"),
        ("{{ data.lines[0].price }}", "a name"),
        ("{{ data.items }}", "data.items"),
        ("{% for line in data.lines %}{{ line.keys }}{% endfor %}", "a name"),
        ("{{ data.nothing.x }}", "data.nothing.x"),
    ],
)
def test_an_undefined_name_is_told_with_its_place(template: str, name: str) -> None:
    with pytest.raises(Unrenderable) as caught:
        email({"subject": "s", "text": template})
    assert caught.value.reason is Reason.template_error
    assert caught.value.where.startswith("workflows/x.toml: email.text")
    assert caught.value.problem == f"{name} is undefined"


def test_an_error_in_a_file_names_the_file_and_the_line_even_when_it_is_included() -> None:
    files = {"templates/a.html": "<p>\n{% include 'b.html' %}</p>", "templates/b.html": "\n\n<b>{{ data.zz }}</b>"}
    with pytest.raises(Unrenderable) as caught:
        email({"subject": "s", "html": "@a.html"}, files=files)
    assert str(caught.value) == "templates/b.html, line 3: data.zz is undefined"
    with pytest.raises(Unrenderable, match=r"^templates/c\.txt, line 2: data\.zz is undefined$"):
        email({"subject": "s", "text": "@c.txt"}, files={"templates/c.txt": "a\n{{ data.zz }}"})


@pytest.mark.parametrize(
    "template",
    [
        "{{ data.secret / 2 }}",
        "{{ data.secret|int }}",
        "{{ data.secret.a.b }}",
        "{{ data[data.secret] }}",
        "{{ 1 + data.secret }}",
    ],
)
def test_no_error_holds_a_value(template: str) -> None:
    with pytest.raises(Unrenderable) as caught:
        email({"subject": "s", "text": template}, {"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_text_that_reads_like_a_statement_is_text() -> None:
    assert email({"subject": "{{ 'mail from Ann' }}, see foo.bar(1) [1] * 2", "text": "t"}).subject.startswith(
        "mail from"
    )


def test_a_file_may_take_macros_from_another() -> None:
    files = {"templates/m.txt": "{% macro price(n) %}{{ n }} EUR{% endmacro %}"}
    text = "{% from 'm.txt' import price %}{% for one in data.lines %}{{ price(one.n) }}{% endfor %}"
    assert email({"subject": "s", "text": text}, files=files).text == "2 EUR"


def test_null_prints_nothing_and_a_person_called_none_keeps_the_name() -> None:
    assert email({"subject": "[{{ data.nothing }}]", "text": "{{ user.name }}"}, person={"name": "None"}).text == "None"
    assert email({"subject": "[{{ data.nothing }}]", "text": "t"}).subject == "[]"
    assert email({"subject": "s", "html": "<p>[{{ data.nothing }}] {{ data.id }}</p>"}).html == "<p>[] A1</p>"


@pytest.mark.parametrize(
    "bomb",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 100000000 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set q = 'x' * 1000 %}{% for a in range(99999) %}{{ q }}{% endfor %}",
        "{% for a in range(99999) %}{{ data }}{% endfor %}",
    ],
)
def test_a_bomb_ends_at_once_and_the_next_message_is_made(bomb: str) -> None:
    found = made({"email": {"subject": "s", "text": bomb}, "sms": {"text": "fine"}})
    began = time.process_time()
    for _ in range(5):
        with pytest.raises(Unrenderable) as caught:
            message(found, "email")
        assert caught.value.reason in {Reason.template_error, Reason.too_large}
    assert time.process_time() - began < 1.0
    assert isinstance(message(found, "sms"), Sms)


def test_what_is_too_large_or_empty_for_its_channel_is_refused() -> None:
    for channel, table, data, reason in (
        ("sms", {"text": "{{ data }}"}, "x" * 1601, Reason.too_large),
        ("sms", {"text": "{{ data }}"}, " \n", Reason.invalid_content),
        ("email", {"subject": "{{ data }}", "text": "t"}, "x" * 999, Reason.too_large),
        ("email", {"subject": "s", "text": "{{ data }}{{ data }}"}, "x" * (1 << 19) + "y", Reason.too_large),
        ("webhook", {"body": {"a": "{{ data }}"}}, "x" * (1 << 20), Reason.too_large),
        ("inbox", {"title": "{{ data }}"}, "\u200b ", Reason.invalid_content),
        ("inbox", {"title": "t", "url": "{{ data }}"}, "javascript:alert(1)", Reason.invalid_content),
        ("webhook", {"body": {"a": "{{ data.x }}"}}, {}, Reason.template_error),
    ):
        with pytest.raises(Unrenderable) as caught:
            message(made({channel: table}), channel, data)
        assert (channel, caught.value.reason) == (channel, reason)


def test_bytes_that_are_no_event_are_refused() -> None:
    with pytest.raises(Unrenderable, match="the event: cannot be read"):
        message(made({}), "webhook", event=Raw(b'{"id":1}'))


def test_a_person_of_whom_nothing_is_known_still_has_an_id() -> None:
    assert email({"subject": "{{ user.id }}", "text": "t"}, person=False).subject == "ann"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0), ("a", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("é" * 160, 1), ("ü" * 161, 2), ("ک" * 70, 1), ("ک" * 71, 2), ("ک" * 134, 2), ("ک" * 135, 3), ("😀" * 35, 1),
        ("😀" * 36, 2), ("a" * 152 + "€" + "a" * 152, 3), ("a" * 100 + "ک", 2),
    ],
)  # fmt: skip
def test_segments_are_counted_as_they_are_paid(text: str, count: int) -> None:
    assert segments(text) == count


T = "workflows/x.toml: "


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ({"email": {"text": "t"}}, T + "email.subject: is missing; add subject"),
        ({"email": {"subject": "s"}}, T + "email: has neither text nor html"),
        ({"email": {"subject": "s", "markdown": "x"}}, T + "email.markdown: is not supported yet; use subject, text"),
        ({"email": {"subject": "s", "mjml": "x"}}, T + "email.mjml: is not supported yet"),
        ({"email": {"subjct": "s"}}, T + "email.subjct: is an unknown key; did you mean subject?"),
        ({"email": {"subject": "s", "text": "t", "headers": "x"}}, T + "email.headers: is not a table"),
        ({"email": {"subject": "s", "text": "t", "headers": {"Bcc": "x"}}}, T + "email.headers: holds a header"),
        ({"email": {"subject": "s", "text": "t", "headers": {"X-A\r\nBcc": "x"}}}, T + "email.headers: holds a header"),
        ({"email": {"subject": "s", "text": "t", "headers": {"X-A": 1}}}, T + "email.headers.X-A: is not a text"),
        ({"email": {"subject": "s", "text": "@x.txt"}}, T + "email.text: names the file templates/x.txt, which is"),
        ({"email": {"subject": "{{ user.nme|uper }}", "text": "t"}}, T + "email.subject: there is no filter uper"),
        ({"email": {"subject": "{{ steps.a }}", "text": "t"}}, T + "email.subject: there is no steps here"),
        ({"sms": {"text": "{% if %}"}}, T + "sms.text (line 1, column 7): "),
        ({"sms": {"text": "{{ data.x.append(1) }}"}}, T + "sms.text: calls the method append"),
        ({"sms": {"text": "{% include data.x %}"}}, T + "sms.text: includes a file by a computed name"),
        ({"sms": {"text": "{%- include ['a.txt'] %}"}}, T + "sms.text: includes a file by a computed name"),
        ({"sms": {"text": "{% include 'a.txt' %}"}}, T + "sms.text: names the file templates/a.txt, which is"),
        ({"sms": {"text": "{% include 'ok.html' %}"}}, T + "sms.text: is text and includes templates/ok.html"),
        ({"sms": {"text": "{% include 'bad.txt' %}"}}, "templates/bad.txt (line 2, column 4): "),
        ({"inbox": {"title": "t", "data": "x"}}, T + "inbox.data: is not a table"),
        ({"inbox": {}}, T + "inbox.title: is missing"),
        ({"webhook": {"body": ["{{ data. }}"]}}, T + "webhook.body[0] (line 1, column 7): "),
        ({"webhook": {"url": "x"}}, T + "webhook.url: is an unknown key; use one of: body"),
    ],
)  # fmt: skip
def test_bad_content_is_refused_when_it_is_loaded(tables: dict[str, Any], text: str) -> None:
    with pytest.raises(Invalid) as caught:
        made(tables, {"templates/bad.txt": "\n{{ + }}", "templates/ok.html": "<p>"})
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("link", "result"),
    [
        ("https://example.com/?a=b&c#d", "https://example.com/?a=b&c#d"),
        ("HTTP://example.com", "HTTP://example.com"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("tel:+49", "tel:+49"),
        ("/orders/1?x=a:b", "/orders/1?x=a:b"),
        ("orders", "orders"),
        ("javascript:alert(1)", "#"),
        (" java\nscript:alert(1)", "#"),
        ("JAVASCRIPT:alert(1)", "#"),
        ("data:text/html,x", "#"),
        ("vbscript:x", "#"),
        (":alert(1)", "#"),
        ("https://a b", "https://ab"),
    ],
)
def test_a_link_leads_to_the_web_a_mailbox_or_a_phone(link: str, result: str) -> None:
    assert url(link) == result
