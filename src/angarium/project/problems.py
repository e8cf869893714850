"""Mistakes of a project, collected so that one look shows them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from angarium.errors import Invalid


class Broken(Invalid):
    """More than one mistake; `problems` holds each, the message one a line."""

    def __init__(self, problems: Sequence[Invalid]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__("project", f"has {len(problems)} mistakes:{lines}")


class Problems:
    """Collects; `settle` raises what was found."""

    def __init__(self) -> None:
        self._found: list[Invalid] = []

    def add(self, where: str, problem: str, mend: str = "") -> None:
        """Keep one mistake and go on."""
        self._found.append(Invalid(where, problem, mend))

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Keep the mistake that ends this block and go on behind it."""
        try:
            yield
        except Broken as several:
            self._found.extend(several.problems)
        except Invalid as mistake:
            self._found.append(mistake)

    def settle(self) -> None:
        """Raise the one mistake, or `Broken` with several; nothing when there is none."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise Broken(self._found)
