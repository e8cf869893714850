"""Lists that come in pages, read to their end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from angarium.client.answers import Page

#: Items of one request.
SIZE = 100


class Paged(Protocol):
    """A method of the client that gives a page."""

    def __call__(self, limit: int | None = None, after: str | None = None) -> Page:
        """The page behind `after`."""
        ...


def every(read: Paged, most: int | None = None) -> Iterator[dict[str, Any]]:
    """All items, or the first `most`; a page is read when its turn comes."""
    after: str | None = None
    left = most
    while left is None or left > 0:
        page = read(limit=SIZE if left is None else min(SIZE, left), after=after)
        yield from page.items
        if page.next is None:
            return
        after, left = page.next, None if left is None else left - len(page.items)
