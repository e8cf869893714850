"""Which workflows an event type starts, and on which lane."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate

from angarium.model.category import Category
from angarium.model.reasons import Priority
from angarium.model.workflow import Workflow

#: Types are the producers' words, so what is remembered of them is bounded.
REMEMBERED = 4096
_ORDER = tuple(Priority)
_GLOB = re.compile(r"[*?\[]")


class Matcher:
    """Answers in the order of the workflows' names, so that every worker gives the same answer.

    A glob is the shell's (`*`, `?`, `[abc]`), case counts, and `*` goes across dots: `order.*` is also
    `order.item.added`.
    """

    def __init__(self, workflows: Iterable[Workflow], categories: Mapping[str, Category] | None = None) -> None:
        self._categories = categories or {}
        self._exact: dict[str, list[Workflow]] = {}
        self._globs: list[tuple[re.Pattern[str], Workflow]] = []
        self._found: dict[str, tuple[Workflow, ...]] = {}
        for workflow in sorted(workflows, key=lambda one: one.name):
            for pattern in workflow.on:
                self._add(pattern, workflow)

    def matching(self, type: str) -> tuple[Workflow, ...]:  # noqa: A002 (CloudEvents names it so)
        """The workflows of a CloudEvents type, each once; none when it is unmatched."""
        found = self._found.get(type)
        if found is None:
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            found = self._found[type] = self._match(type)
        return found

    def priority(self, type: str) -> Priority:  # noqa: A002
        """The lane of the event itself: the best of its workflows' categories, `normal` when there is none."""
        found = [self._categories.get(workflow.category, Category()).priority for workflow in self.matching(type)]
        return min(found, key=_ORDER.index, default=Priority.normal)

    def _add(self, pattern: str, workflow: Workflow) -> None:
        if _GLOB.search(pattern):
            self._globs.append((re.compile(translate(pattern)), workflow))
        else:
            self._exact.setdefault(pattern, []).append(workflow)

    def _match(self, type: str) -> tuple[Workflow, ...]:  # noqa: A002
        found = list(self._exact.get(type, ()))
        found += [workflow for pattern, workflow in self._globs if pattern.match(type)]
        return tuple({workflow.name: workflow for workflow in sorted(found, key=lambda one: one.name)}.values())
