"""Expressions: values stay values, what is missing is named, and nothing runs long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.errors import Invalid, nearest
from angarium.expressions import Expressions

CONTEXT: dict[str, Any] = {
    "data": {
        "customer": "u1",
        "total": 120.5,
        "lines": [{"name": "tea", "n": 2}],
        "nothing": None,
        "html": "<b>&'\"",
        "items": [1],
        "order": {},
        "big": 10**30,
        "yes": True,
    },
    "event": {"id": "e1", "type": "order.shipped"},
    "user": {"id": "u1"},
}
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def expressions() -> Expressions:
    return Expressions()


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("data.customer", "u1"),
        ("data.lines[0].name", "tea"),
        ("data.total > 100 and event.type == 'order.shipped'", True),
        ("data.nothing", None),
        ("data.html", "<b>&'\""),
        ("data.items", [1]),
        ("data.big", 10**30),
        ("data.yes", True),
        ("data.missing|default('x')", "x"),
        ("data.missing|default(none)", None),
        ("data.missing is defined", False),
        ("{'a': data.items, 'b': [data.customer]}", {"a": [1], "b": ["u1"]}),
        ("data.lines|map(attribute='n')|sum", 2),
        ("-1 + 2", 1),
    ],
)
def test_an_expression_gives_a_native_value(expressions: Expressions, source: str, value: Any) -> None:
    assert expressions.evaluate(source, CONTEXT) == value
    assert expressions.resolve(f"{{{{ {source} }}}}", CONTEXT) == value


@given(PLAIN)
def test_any_plain_value_comes_out_as_it_went_in(value: Any) -> None:
    expressions = Expressions()
    assert expressions.resolve({"a": ["{{ data.x }}"]}, {"data": {"x": value}}) == {"a": [value]}


@given(st.text())
def test_data_is_never_read_as_a_template(text: str) -> None:
    data = {"x": text + "{{ 7*7 }}{% if %}"}
    assert Expressions().resolve("[{{ data.x }}]", {"data": data}) == f"[{data['x']}]"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("data.missing", "data.missing"),
        ("data.order.id", "data.order.id"),
        ("data.order.id.deep", "data.order.id.deep"),
        ("data.nothing.x", "data.nothing.x"),
        ("data.total > 1 and data.missing", "data.missing"),
        ("data.a|default('') ~ data.b", "data.b"),
        ("not data.missing", "data.missing"),
        ("steps.first.status == 'sent'", "steps.first.status"),
    ],
)
def test_an_undefined_name_is_named(expressions: Expressions, source: str, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        expressions.evaluate(source, CONTEXT)
    assert caught.value.problem == f"{name} is undefined"


@pytest.mark.parametrize("name", ["items", "keys", "values", "update", "pop", "copy", "get", "clear"])
def test_a_method_of_a_dict_is_not_mistaken_for_a_key(expressions: Expressions, name: str) -> None:
    for source in (f"data.order.{name}", f"data.order['{name}']"):
        with pytest.raises(Invalid, match="is undefined"):
            expressions.evaluate(source, CONTEXT)
    with pytest.raises(Invalid, match=f"data.order.{name} is undefined"):
        expressions.resolve(f"= {{{{ data.order.{name} }}}}", CONTEXT)
    assert expressions.evaluate(f"data.order.{name}", {"data": {"order": {name: 1}}}) == 1


@pytest.mark.parametrize(
    "source",
    ["data.secret / 2", "data.secret|int", "data.secret.x.y", "data.secret > 1 and data.secret()", "data[data.secret]"],
)
def test_no_error_holds_a_value(expressions: Expressions, source: str) -> None:
    with pytest.raises(Invalid) as caught:
        expressions.evaluate(source, {"data": {"secret": "hunter2"}})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "value"),
    [
        ("text", "text"),
        ("{{ data.items }}", [1]),
        (" {{- data.items -}} ", [1]),
        ("Order {{ data.customer }}{{ data.nothing }}!", "Order u1!"),
        ("{{ data.customer }}{{ data.customer }}", "u1u1"),
        ("{% if data.yes %}y{% endif %}", "y"),
        ("{not}", "{not}"),
        (
            {"a": ["{{ data.yes }}", 1, None], "{{ data.customer }}": 2},
            {"a": [True, 1, None], "{{ data.customer }}": 2},
        ),
    ],
)
def test_a_tree_is_resolved_where_it_holds_expressions(expressions: Expressions, tree: Any, value: Any) -> None:
    assert expressions.resolve(tree, CONTEXT) == value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("data.a +", "w (line 1, column 10): unexpected end of variable block"),
        ("dta.x", "w: there is no dta here; did you mean data?"),
        ("delivery.x", "w: there is no delivery here; use one of: data, event, steps, user"),
        ("data.x|uper", "w: there is no filter uper"),
        ("data.x is strng", "w: there is no test strng"),
        ("data.x.upper()", "w: calls the method upper; methods are not supported"),
        ("data.x.y.append(1)", "w: calls the method append"),
        ("data['x'].clear()", "w: calls the method clear"),
        ("[1] * 1000000", "w: repeats a list; use range and a loop"),
        ("debug()", "w: there is no debug here"),
        ("a) + (b", "w (line 1, column 2): unexpected `)`"),
        ("data.x }} {{ data.y", "w (line 1, column 8): unexpected"),
        ("data.x\x03", "w: is no expression"),
        ("  ", "w: is no expression"),
    ],
)
def test_a_bad_expression_is_refused_when_it_is_loaded(expressions: Expressions, source: str, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        expressions.check(source, "w")
    assert str(caught.value).startswith(text)


def test_good_expressions_pass_the_check(expressions: Expressions) -> None:
    for source in (
        "data.l[0] * 3",
        "'a.b(' ~ data.x",
        "data.x is not none",
        "range(3)|list",
        "-1",
        "data.x|upper is string",
    ):
        expressions.check(source, "w")
    expressions.check_tree(
        {"a": ["Hi {{ user.name }} {% for x in data.l %}{{ loop.cycle(1, 2) }}{% endfor %}", 1]}, "w"
    )


def test_a_bad_tree_is_refused_with_its_place(expressions: Expressions) -> None:
    with pytest.raises(Invalid, match=r"w\.a\[1\]: there is no dat here; did you mean data\?"):
        expressions.check_tree({"a": ["x", "{{ dat.x }}"]}, "w")
    with pytest.raises(Invalid, match=r"w\.b \(line 2, column 4\): "):
        expressions.check_tree({"b": "x\n{{ + }}"}, "w")
    with pytest.raises(Invalid, match="there is no user here"):
        expressions.check_tree("{{ user.id }}", "w", ("data", "event"))


@pytest.mark.parametrize(
    "source",
    [
        "[range(99999)|list, range(99999)|list, range(99999)|list]|length",
        "'x' * 100000000",
        "'ab'" + "|replace('', 'xxxxxxxxxxxxxxxxxxxx')" * 6,
        "range(9000)|join('" + "x" * 2000 + "')",
        "'a'|indent(100000000)",
    ],
)
def test_a_bomb_ends_at_once(expressions: Expressions, source: str) -> None:
    began = time.process_time()
    with pytest.raises(Invalid, match="takes too long or gives too much"):
        expressions.evaluate(source, CONTEXT)
    assert time.process_time() - began < 0.5


def test_the_largest_event_goes_through(expressions: Expressions) -> None:
    people = [{"id": f"u{number}", "email": f"u{number}@example.com"} for number in range(1000)]
    context = {"data": {"people": people, "text": "<" * 100_000}}
    assert expressions.evaluate("data.people", context) == people
    assert expressions.evaluate("data.people|reverse", context) == people[::-1]
    assert expressions.evaluate("[data.text]", context) == ["<" * 100_000]
    assert expressions.resolve("{{ data.text }} {{ data.text }}", context) == "<" * 100_000 + " " + "<" * 100_000


def test_what_is_kept_is_bounded_and_still_right() -> None:
    expressions = Expressions(capacity=3)
    for number in range(20):
        assert expressions.resolve(f"{{{{ data.x + {number} }}}}", {"data": {"x": 1}}) == number + 1
        assert expressions.resolve(f"n {{{{ data.x }}}}{number}", {"data": {"x": 1}}) == f"n 1{number}"
    assert expressions.resolve("{{ data.x + 0 }}", {"data": {"x": 1}}) == 1


def test_an_expression_that_ends_like_a_page_is_not_escaped(expressions: Expressions) -> None:
    assert expressions.evaluate("data.html", CONTEXT) == "<b>&'\""
    assert expressions.resolve("x {{ data.html }}", CONTEXT) == "x <b>&'\""


def test_the_nearest_name_is_offered_or_all_of_them() -> None:
    assert nearest("emial", ("email", "sms")) == "did you mean email?"
    assert nearest("fax", ("email", "sms")) == "use one of: email, sms"
