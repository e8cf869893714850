"""Every error Angarium raises on purpose.

    AngariumError
    ├── Invalid(where, problem, mend)          bad input: a field, a file, a header
    ├── Unavailable(store)                     try the same effect again
    ├── Refused(record, reason)                never try this record again
    ├── Incompatible(version)                  a newer Angarium wrote this
    └── Misconfigured(key, value_from, mend)   the process must not start

Messages name the place, the problem and the mend; they never carry a secret, an address or the offending value.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


def nearest(name: str, known: Collection[str]) -> str:
    """A mend for a misspelt name: the nearest known one, else all of them."""
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"use one of: {', '.join(sorted(known)) or 'none is known'}"


class AngariumError(Exception):
    """The root, so that a caller can tell our refusals from defects."""


class Invalid(AngariumError):
    """Input that cannot be used. `where` is a JSON pointer, a header name or `file: key`."""

    def __init__(self, where: str, problem: str, mend: str = "") -> None:
        self.where, self.problem, self.mend = where, problem, mend
        super().__init__(f"{where or 'input'}: {problem}" + (f"; {mend}" if mend else ""))


class Unavailable(AngariumError):
    """A store does not answer now. The same effect may be tried again."""

    def __init__(self, store: str, detail: str = "") -> None:
        self.store = store
        super().__init__(f"{store} is unavailable" + (f": {detail}" if detail else ""))


class Refused(AngariumError):
    """The broker will never take this record (too large, say). `record` is its key."""

    def __init__(self, record: str, reason: str) -> None:
        self.record, self.reason = record, reason
        super().__init__(f"record {record} was refused: {reason}")


class Incompatible(AngariumError):
    """A record or a database of a version this program does not know."""

    def __init__(self, version: int, known: int = 1, what: str = "record") -> None:
        self.version = version
        super().__init__(f"a {what} of version {version} was found, this program knows {known}: upgrade Angarium")


class Misconfigured(AngariumError):
    """A setting that cannot work. `value_from` says where it came from: a file, a variable, a flag."""

    def __init__(self, key: str, value_from: str, mend: str) -> None:
        self.key, self.value_from, self.mend = key, value_from, mend
        super().__init__(f"{key} (from {value_from}): {mend}")
