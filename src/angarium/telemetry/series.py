"""The children of one metric, bounded: a label value that nobody foresaw cannot make a new series without end."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from angarium.telemetry.families import Family

OTHER = "other"

M = TypeVar("M", Counter, Gauge, Histogram)


class Series(Generic[M]):
    """Children by label values; each is bound once, after which finding it is one look into a dict.

    `closed` has the allowed values of a label. Values outside become `other`; so do, from the last label on, those of
    new combinations once the family is full. The child whose labels are all `other` always has room.
    """

    def __init__(self, metric: M, family: Family, closed: Mapping[str, Set[str]]) -> None:
        self._metric: M = metric
        self._family = family
        self._closed = tuple(closed.get(label) for label in family.labels)
        self._children: dict[tuple[str, ...], M] = {}

    def of(self, *values: str) -> M:
        """The child of these label values, in the family's order."""
        child = self._children.get(values)
        return self._open(values) if child is None else child

    def clear(self) -> None:
        """Forget every child: it is absent from the next scrape unless it is set again."""
        self._metric.clear()
        self._children.clear()

    def _open(self, values: tuple[str, ...]) -> M:
        named = tuple(
            value if allowed is None or value in allowed else OTHER
            for value, allowed in zip(values, self._closed, strict=True)
        )
        for folded in range(len(named) + 1):
            name = named[: len(named) - folded] + (OTHER,) * folded
            if name in self._children or self._room(name, folded):
                break
        return self._children.setdefault(name, self._metric.labels(*name))

    def _room(self, name: tuple[str, ...], folded: int) -> bool:
        if name == (OTHER,) * len(name):
            return True
        kept = 1 if folded else self._family.spare
        return len(self._children) < self._family.limit - kept
