"""Which workflows an event type starts."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from angarium.decide import match
from angarium.decide.match import Matcher
from angarium.model.category import Category
from angarium.model.reasons import Priority
from angarium.model.workflow import Workflow

CATEGORIES = {
    "default": Category(),
    "codes": Category(name="codes", priority=Priority.critical),
    "news": Category(name="news", priority=Priority.bulk),
}


def workflow(name: str, *on: str, category: str = "default") -> Workflow:
    return Workflow(name=name, on=on, category=category)


def names(matcher: Matcher, kind: str) -> list[str]:
    return [one.name for one in matcher.matching(kind)]


def test_a_type_matches_by_name_and_by_glob_in_the_order_of_names() -> None:
    matcher = Matcher([workflow("c", "order.*"), workflow("a", "order.shipped"), workflow("b", "*.shipped", "x")])
    assert names(matcher, "order.shipped") == ["a", "b", "c"]
    assert names(matcher, "order.item.added") == ["c"]
    assert names(matcher, "x") == ["b"]
    assert names(matcher, "Order.shipped") == ["b"]
    assert names(matcher, "order") == []


def test_a_workflow_that_matches_twice_runs_once() -> None:
    assert names(Matcher([workflow("a", "x", "x*", "*")]), "x") == ["a"]


@given(st.lists(st.text("ab.*?[]!-", min_size=1, max_size=6), max_size=5), st.text("ab.-", max_size=5))
def test_globs_mean_what_the_shell_means(patterns: list[str], kind: str) -> None:
    matcher = Matcher([workflow(f"w{index}", pattern) for index, pattern in enumerate(patterns)])
    expected = [f"w{index}" for index, pattern in enumerate(patterns) if fnmatchcase(kind, pattern)]
    assert names(matcher, kind) == expected == names(matcher, kind)


def test_the_event_takes_the_best_lane_of_its_workflows() -> None:
    matcher = Matcher([workflow("a", "x", "y", category="news"), workflow("b", "x", category="codes")], CATEGORIES)
    assert matcher.priority("x") is Priority.critical
    assert matcher.priority("y") is Priority.bulk
    assert matcher.priority("z") is Priority.normal


def test_what_is_remembered_of_types_is_bounded() -> None:
    matcher = Matcher([workflow("a", "x.*")])
    for number in range(match.REMEMBERED + 10):
        assert names(matcher, f"x.{number}") == ["a"]
    assert len(matcher._found) <= match.REMEMBERED
