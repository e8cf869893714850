"""The releases a worker may need: its own, and older ones that unfinished runs are pinned to."""

from __future__ import annotations

from angarium.database import Connection, releases
from angarium.database.engine import Database
from angarium.errors import Invalid
from angarium.project import Release, load

#: Old releases kept compiled at a time.
REMEMBERED = 16


class Releases:
    """The current release, and others by id from the database."""

    def __init__(self, current: Release) -> None:
        self.current = current
        self._known = {current.id: current}

    def get(self, connection: Connection, release: str) -> Release:
        """Raises `Invalid` when nobody stored it here."""
        found = self._known.get(release)
        if found is None:
            files = releases.files(connection, release)
            if files is None:
                raise Invalid("release", "is not stored in this database", "restore the database it was planned with")
            found = self._remember(load(files))
        return found

    async def fetch(self, database: Database, release: str) -> Release:
        """The same from outside a transaction."""
        known = self._known.get(release)
        return known if known is not None else await database.read(self.get, release)

    def _remember(self, release: Release) -> Release:
        if len(self._known) > REMEMBERED:
            self._known = {self.current.id: self.current}
        self._known[release.id] = release
        return release
