"""How the command line finds a server: a flag, variables, or the file that a run on this machine leaves.

The file is `$XDG_STATE_HOME/angarium/local.json` (XDG Base Directory Specification 0.8; `~/.local/state` without the
variable), readable by its owner only.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from angarium.errors import Misconfigured


class Local(Struct, frozen=True, kw_only=True):
    """A server on this machine: its loopback URL, its admin key, its process."""

    url: str
    key: str
    pid: int

    def __repr__(self) -> str:
        """Without the key."""
        return f"Local(url={self.url!r}, pid={self.pid})"


class Server(Struct, frozen=True, kw_only=True):
    """Where to call and with which key. `origin` says how it was found."""

    url: str
    key: str
    origin: str

    def __repr__(self) -> str:
        """Without the key."""
        return f"Server(url={self.url!r}, origin={self.origin!r})"


def write(local: Local, environ: Mapping[str, str]) -> None:
    """Leave word of a server that runs. An earlier word is replaced at once, never half."""
    path = _path(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".local-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(local))
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def read(environ: Mapping[str, str]) -> Local | None:
    """The server on this machine. None without a file, for one that cannot be read, and for one whose process ended."""
    try:
        local = msgspec.json.decode(_path(environ).read_bytes(), type=Local)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return local if _lives(local.pid) else None


def remove(local: Local, environ: Mapping[str, str]) -> None:
    """Take back the word of this server; that of another one, which has since replaced it, stays."""
    path = _path(environ)
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        if msgspec.json.decode(path.read_bytes(), type=Local) == local:
            path.unlink()


def server(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Server | None:
    """Which server to call: flag `url`, then `ANGARIUM_URL`, each with `ANGARIUM_KEY`; else the one on this machine.

    None when there is none. Raises `Misconfigured` for a URL that is none, that has a password in it, or without key.
    """
    for url, origin in ((flags.get("url"), "--url"), (environ.get("ANGARIUM_URL"), "ANGARIUM_URL")):
        if url:
            return Server(url=_checked(url, origin), key=_key(environ), origin=origin)
    local = read(environ)
    return Server(url=local.url, key=local.key, origin="local.json") if local else None


def _path(environ: Mapping[str, str]) -> Path:
    """Relative paths in the variable are to be ignored, says the specification."""
    named = environ.get("XDG_STATE_HOME", "")
    state = Path(named) if named.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".local" / "state"
    return state / "angarium" / "local.json"


def _lives(pid: int) -> bool:
    """Signal 0 only asks (POSIX kill); a process that is another user's lives, too."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _checked(url: str, origin: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:
        fits, parts = False, urlsplit("")
    if not fits:
        raise Misconfigured("url", origin, "expected an http or https URL without a query")
    if parts.username is not None or parts.password is not None:
        raise Misconfigured("url", origin, "a URL may hold no credentials: put the key into ANGARIUM_KEY")
    return url.rstrip("/")


def _key(environ: Mapping[str, str]) -> str:
    key = environ.get("ANGARIUM_KEY", "").strip()
    if not key:
        raise Misconfigured("key", "the environment", "set ANGARIUM_KEY to a key of that server")
    return key
