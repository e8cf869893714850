"""Releases: the files workers run, by their content, so that a Sender can render what another version planned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection

from angarium.database import rows, tables


def save(connection: Connection, release: str, files: Mapping[str, bytes], now: float) -> None:
    """Keep a release. The same content under another path is stored once."""
    hashes = {path: hashlib.blake2b(content, digest_size=16).hexdigest() for path, content in files.items()}
    rows.store(connection, tables.files, ("hash", "bytes"), [(hashes[path], files[path]) for path in files])
    manifest = msgspec.json.encode(hashes)
    rows.store(connection, tables.releases, ("id", "created", "manifest"), [(release, now, manifest)])


def files(connection: Connection, release: str) -> dict[str, bytes] | None:
    """The files of a release by path; None when it was never stored here."""
    found = rows.fetch(connection, tables.releases, ("manifest",), "id", [release])
    if not found:
        return None
    manifest: dict[str, str] = msgspec.json.decode(found[0][0])
    contents = {
        row[0]: row[1] for row in rows.fetch(connection, tables.files, ("hash", "bytes"), "hash", manifest.values())
    }
    return {path: contents[digest] for path, digest in manifest.items()}
