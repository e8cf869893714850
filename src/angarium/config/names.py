"""From a name to its setting. A name that is not there is an error that tells the nearest one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from angarium.config.listing import Setting, listing
from angarium.errors import Misconfigured
from angarium.model.channels import CHANNELS

#: Names from the root of the settings down: `("log", "level")`.
Where = tuple[str, ...]

_ACCOUNT = re.compile(r"[a-z][a-z0-9_]*")


class Names:
    """All settings by where they stand. `origin` is the place of a mistake: a file, a variable or a flag."""

    def __init__(self) -> None:
        self.rows = listing()

    def at(self, where: Where, origin: str) -> Setting:
        """The setting. Raises `Misconfigured`, also for a table."""
        found = self.find(where)
        self._judge(where, origin)
        if found is None and self.is_table(where):
            raise Misconfigured(dotted(where), origin, "it is a table: set one of its keys")
        if found is None:
            raise self.unknown(where, origin)
        return found

    def find(self, where: Where) -> Setting | None:
        """The setting, if there is one."""
        return next((row for row in self.rows if row.matches(where)), None)

    def is_table(self, where: Where) -> bool:
        """Whether settings lie below."""
        return any(row.leads(where) and not row.matches(where) for row in self.rows)

    def table(self, where: Where, origin: str) -> None:
        """Raises `Misconfigured` unless there is such a table."""
        self._judge(where, origin)
        if not self.is_table(where):
            raise self.unknown(where, origin)

    def unknown(self, where: Where, origin: str) -> Misconfigured:
        """The error for a name that is not there."""
        known = {dotted(_filled(row, where)) for row in self.rows}
        return Misconfigured(dotted(where), origin, f"there is no such setting{nearest(dotted(where), known)}")

    def _judge(self, where: Where, origin: str) -> None:
        """Where users choose names, they are not free: a channel must be one, an account's name goes into labels."""
        match where:
            case ("channels", channel, *_) if channel not in CHANNELS:
                raise Misconfigured(dotted(where[:2]), origin, f"there is no such channel{nearest(channel, CHANNELS)}")
            case ("providers", account, *_) if not _ACCOUNT.fullmatch(account):
                raise Misconfigured(dotted(where[:2]), origin, "name the account by a-z, 0-9 and _, a letter first")


def dotted(where: Iterable[str]) -> str:
    """`log.level`. A part that could not be a name is left out: it might be a value in the wrong place."""
    return ".".join(part if re.fullmatch(r"[\w-]{1,64}", part) else "?" for part in where)


def nearest(name: str, known: Iterable[str]) -> str:
    """`: the nearest is log.level`, or nothing when none is near."""
    near = get_close_matches(name, sorted(known), n=1)
    return f": the nearest is {near[0]}" if near else ""


def _filled(row: Setting, where: Where) -> list[str]:
    """The row's names, with those of the user's choice taken from `where`."""
    names = row.key.split(".")
    return [where[n] if name == "*" and n < len(where) else name for n, name in enumerate(names)]
