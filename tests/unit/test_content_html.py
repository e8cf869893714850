"""HTML parts: where data may stand, links, and the text that is read off a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from angarium import content
from angarium.content import html
from angarium.errors import Invalid
from angarium.model.delivery import Handover
from angarium.model.message import Email
from angarium.model.reasons import Priority
from angarium.model.user import Address
from angarium.model.workflow import Workflow


def page(source: str, data: Any = None, files: Mapping[str, str] | None = None) -> Email:
    """The e-mail that an HTML template gives for this data."""
    table = {"subject": "s", "html": source}
    workflow = Workflow(name="x", on=("a",), content={"": {"email": table}})
    found = content.build([workflow], {path: text.encode() for path, text in (files or {}).items()})
    event = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "a", "data": data or {}}
    handover = Handover(
        delivery="dlv_1", notification="ntf_1", run="run_1", tenant="default", user="ann", try_=1, channel="email",
        step="0", slot="email", workflow="x", release="rel_1", content=None, category="default",
        priority=Priority.normal, on_unknown="park", to=Address("email", "there"), locale="en", person=Raw(b"{}"),
        event=Raw(msgspec.json.encode(event)), accounts=(), expires=9.0, accepted=1.0,
    )  # fmt: skip
    made = found.message(handover, tag="ref", callback_url="", deadline=5.0)
    assert isinstance(made, Email)
    return made


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("<script>var x = {{ data.x }}</script>", "puts data inside <script>"),
        ("<style>p { color: {{ data.x }} }</style>", "puts data inside <style>"),
        ('<p onclick="go({{ data.x }})">', "puts data in the attribute onclick"),
        ('<p style="color: {{ data.x }}">', "puts data in the attribute style"),
        ('<iframe srcdoc="{{ data.x }}">', "puts data in the attribute srcdoc"),
        ("<a href={{ data.x }}>", "puts data in a tag outside of quotes"),
        ("<a {{ data.x }}>", "puts data in a tag outside of quotes"),
        ("<a x{{ data.x }}='1'>", "puts data in a tag outside of quotes"),
        ("<h{{ data.x }}>", "puts data in a tag outside of quotes"),
        ("<{{ data.x }}>", "puts data where the name of a tag stands"),
        ("</{{ data.x }}>", "puts data where the name of a tag stands"),
    ],
)
def test_data_is_refused_where_escaping_does_not_help(source: str, problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        page(f"<p>x</p>\n{source}")
    assert problem in str(caught.value)
    assert str(caught.value).startswith("workflows/x.toml: email.html")


def test_statements_may_stand_in_a_tag() -> None:
    source = "<td {% if data.x %}class=\"a\"{% endif %} title='{{ data.x }}'>{# no #}{{ data.x }}</td>"
    assert page(source, {"x": "<'\">"}).html == (
        "<td class=\"a\" title='&lt;&#x27;&quot;&gt;'>&lt;&#x27;&quot;&gt;</td>"
    )


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ('<a href="{{ data.u }}">', '<a href="#">'),
        ("<a href=' {{- data.u -}} '>", "<a href='#'>"),
        ('<a href="{% if data.u %}{{ data.u }}{% else %}{{ data.u }}{% endif %}">', '<a href="#">'),
        ('<img SRC="{{ data.u }}">', '<img SRC="#">'),
        ('<a href="https://example.com/{{ data.u }}">', '<a href="https://example.com/javascript:alert(1)">'),
        ('<a title="{{ data.u }}">', '<a title="javascript:alert(1)">'),
        ('<a href="{{ data.u|url }}">', '<a href="#">'),
    ],
)
def test_a_link_that_begins_with_data_runs_no_code(source: str, result: str) -> None:
    assert page(source, {"u": "javascript:alert(1)"}).html == result


def test_included_pages_are_guarded_and_escaped_too() -> None:
    files = {
        "templates/a.html": "{% include 'b.html' %}",
        "templates/b.html": '<a href="{{ data.u }}">{{ data.x }}</a>',
    }
    found = page("@a.html", {"u": "javascript:x", "x": "<b>"}, files)
    assert found.html == '<a href="#">&lt;b&gt;</a>'
    assert found.text == "<b>"
    with pytest.raises(Invalid, match=r"is HTML and includes templates/b\.txt, which is not"):
        page("{% include 'b.txt' %}", files={"templates/b.txt": "x"})


def test_a_missing_link_is_undefined_rather_than_a_dead_one() -> None:
    with pytest.raises(Exception, match=r"data\.u is undefined"):
        page('<a href="{{ data.u }}">x</a>', {})


PAGE = """<html><head><title>no</title><style>p { color: red }</style></head><body>
<h1>Hello {{ data.name }}</h1>
<p>Your order&nbsp;is <b>on
its way</b>: <a href="{{ data.u }}">look</a>, or write to <a href="#x">us</a>.<br>Bye</p>
<ul>{% for one in data.list %}<li>{{ one }}</li>{% endfor %}</ul>
<table><tr><td>a</td><td>b</td></tr></table><img alt="logo" src="x.png"><script>no()</script></body></html>"""
TEXT = """Hello A & B

Your order is on its way: look (https://example.com/?a=1&b=2), or write to us.
Bye

- x
- <y>

a b
logo"""


def test_a_page_without_text_gets_the_text_of_the_page() -> None:
    data = {"name": "A & B", "u": "https://example.com/?a=1&b=2", "list": ["x", "<y>"]}
    found = page(PAGE, data)
    assert _squeezed(found.text) == _squeezed(TEXT)
    assert html.derived(PAGE) is not None
    involved = page(PAGE + "{{ data.name|safe }}", data)
    assert html.derived(PAGE + "{{ data.name|safe }}") is None
    assert _squeezed(involved.text) == _squeezed(TEXT + "A & B")


def _squeezed(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_a_page_of_entities_is_never_read_as_a_template() -> None:
    assert page("<p>&#123;&#123; 7*7 &#125;&#125; {{ data.x }}</p>", {"x": "1"}).text == "{{ 7*7 }} 1"
