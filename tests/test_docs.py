"""The documentation holds what the code has: words have rows, pages are current, links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from angarium import plugins
from angarium.api.application import routes
from angarium.cli import program
from angarium.config import sources
from angarium.config.listing import listing
from angarium.model.reasons import Outcome, Progress, Reason, Status
from angarium.model.workflow import Step
from angarium.project import load
from angarium.telemetry.families import families
from docs.generate import DOCS, PAGES, admin_paths, agree, stale

ROOT = DOCS.parent
#: Pages that people write; the pages of the reference are written by the generator.
WRITTEN = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "reference"),
]
TESTING = DOCS / "guide" / "testing.md"
DECISION_LINES = 40
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TOML = re.compile(r"^```toml\n(.*?)^```", re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)

VOCABULARY = {
    "settings": [setting.key for setting in listing()],
    "metrics": [family.name for family in families()],
    "reasons": [word.value for kind in (Reason, Status, Progress, Outcome) for word in kind],
    "steps": [str(kind.__struct_config__.tag) for kind in get_args(Step)],
    "providers": list(plugins.names("providers")),
    "commands": [
        *(f"angarium {name}" for name, _, _ in program.COMMANDS),
        *(f"angarium {group} {name}" for group, _, inner in program.GROUPS for name, _, _ in inner),
    ],
    "routes": [
        "POST /v1/events",
        "OPTIONS /v1/events",
        "GET /openapi.json",
        *(f"GET {path}" for path in admin_paths()),
        *(
            f"{method} {re.sub(r':[a-z]+}', '}', path)}"
            for handler in routes()
            for path in handler.paths
            for method in handler.http_methods
        ),
    ],
}


def words(text: str) -> set[str]:
    """What a page has as the first cell of a row, or as a heading, set as code."""
    return set(re.findall(r"^(?:\| |#+ )`([^`]+)`", text, re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """The headings as they are linked to."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> Iterator[str]:
    """Relative links of a page that lead to no file, or to no heading in one."""
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("name", VOCABULARY)
def test_every_word_of_the_code_has_its_row_or_heading(name: str) -> None:
    known = VOCABULARY[name]
    assert known
    assert set(known) - words((DOCS / "reference" / f"{name}.md").read_text()) == set()


def test_a_word_without_a_meaning_and_a_meaning_without_a_word_are_refused() -> None:
    with pytest.raises(SystemExit, match="give a meaning to dead bury"):
        agree("commands", {"run", "dead bury"}, {"run"})
    with pytest.raises(SystemExit, match="the code does not know old"):
        agree("commands", {"run"}, {"run", "old"})


def test_every_generated_page_has_a_vocabulary_that_is_looked_for() -> None:
    assert set(PAGES) == set(VOCABULARY)
    assert {path.stem for path in (DOCS / "reference").iterdir()} == set(PAGES)


def test_no_generated_page_is_stale() -> None:
    assert [path.name for path in stale()] == [], "run `make docs`"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert list(dead_links(page)) == []


def test_a_link_to_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[a](gone.md) [b](page.md#one-heading) [c](#two) [d](https://example.com/x)\n")

    assert list(dead_links(page)) == ["gone.md", "#two"]


def examples(kind: str) -> list[str]:
    """The TOML examples of all pages: of workflows (they have steps), or of the file that their first line names."""
    fences = [text for page in sorted(DOCS.rglob("*.md")) for text in TOML.findall(page.read_text())]
    return [text for text in fences if (kind == "workflow" and "steps" in text) or text.startswith(f"# {kind}\n")]


@pytest.mark.parametrize("text", examples("workflow"))
def test_every_workflow_shown_can_be_loaded(text: str) -> None:
    shown = tomllib.loads(text)
    said = {"email": '{ subject = "s", text = "t" }', "sms": '{ text = "t" }', "inbox": '{ title = "t" }'}
    rest = {"on": '"shown"', **said}
    added = "".join(f"{name} = {value}\n" for name, value in rest.items() if name not in shown)
    files = {"workflows/shown.toml": (added + text).encode()}
    files |= {f"templates/{name}": b"text" for name in re.findall(r'"@([\w.]+)"', text)}

    assert list(load(files).workflows) == ["shown"]


@pytest.mark.parametrize("text", examples("categories.toml"))
def test_every_category_shown_can_be_loaded(text: str) -> None:
    assert set(load({"categories.toml": text.encode()}).categories) == {"default", *tomllib.loads(text)}


@pytest.mark.parametrize("text", examples("angarium.toml"))
def test_every_configuration_shown_is_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "angarium.toml").write_text(text)

    assert "angarium.toml" in sources.load(tmp_path, {}, {}).origins.values()


async def test_the_tests_shown_pass() -> None:
    [code] = re.findall(r"^```python\n(from angarium.*?Harness.*?)^```", TESTING.read_text(), re.DOTALL | re.MULTILINE)[
        :1
    ]
    shown: dict[str, Any] = {}
    exec(compile(code, str(TESTING), "exec"), shown)
    tests = [made for name, made in shown.items() if name.startswith("test_")]

    assert tests
    for test in tests:
        await test()


def test_there_are_examples_of_each_kind() -> None:
    assert all(examples(kind) for kind in ("workflow", "categories.toml", "angarium.toml"))


def test_every_page_is_reached_from_the_index() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall((DOCS / "index.md").read_text())}
    pages = {path for path in DOCS.rglob("*.md") if path.parent.name != "decisions"} - {DOCS / "index.md"}

    assert pages - linked == set()


def test_the_changelog_has_an_unreleased_section_with_entries() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    section = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)

    assert section is not None
    assert re.search(r"^### (Added|Changed|Deprecated|Removed|Fixed|Security)$", section[1], re.MULTILINE)


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_is_short_and_has_context_choice_and_cost(page: Path) -> None:
    text = page.read_text()

    assert re.match(rf"# {page.stem[:4]}: \S", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Choice", "Cost"]
    assert text.count("\n") <= DECISION_LINES


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.stem[:4]) for page in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
