"""The installation's secret: what signs callback references and inbox tokens and peppers keys."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from angarium.config.settings import Settings
from angarium.errors import Misconfigured

#: Bytes of chance in a secret that is made; the file has them in hexadecimal.
SIZE = 32


def secret(settings: Settings) -> bytes:
    """32 bytes, made of the setting `secret`, else of the file `{data}/secret`, which is made when it is missing.

    The text is hashed, so that any length gives a key of keyed BLAKE2b, and so that the file's text may be moved into
    the setting. Raises `Misconfigured` for a file that is too short, that others may read or that cannot be made.
    """
    text = settings.secret if settings.secret is not None else _kept(Path(settings.data) / "secret")
    return hashlib.blake2b(text.encode(), digest_size=32, person=b"angarium secret").digest()


def _kept(path: Path) -> str:
    try:
        if not path.exists():
            _make(path)
        readable = path.stat().st_mode & stat.S_IROTH
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured("secret", "{data}/secret", f"the file cannot be used ({type(error).__name__})") from None
    if readable:
        raise Misconfigured("secret", "{data}/secret", "everybody may read the file: chmod 600 it")
    if len(text) < SIZE:
        raise Misconfigured("secret", "{data}/secret", f"the file must hold at least {SIZE} characters: restore it")
    return text


def _make(path: Path) -> None:
    """Written aside and then linked: of two processes that start at once one wins, and both read a whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".secret-") as file:
        file.write(secrets.token_hex(SIZE) + "\n")
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
    _settle(path.parent)


def _settle(directory: Path) -> None:
    """A new name survives a loss of power only when its directory was written, too."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
