"""What a log line must not show: secrets are masked, people are hashed, bodies are left out.

A field is judged by its name, and every text is searched for what looks like a secret or an address, because the
messages of other libraries' exceptions quote both.
"""

from __future__ import annotations

import hashlib
import math
import re
from base64 import b32encode
from collections.abc import Mapping
from typing import Any

MASK = "***"
LONGEST = 2000
DEEPEST = 4

_SECRETS = re.compile(
    r"(^|[_-])(key|secrets?|tokens?|passwords?|passwd|pwd|authorization|auth|signature|cookie|credentials?|dsn|otp|pin)$"
    r"|^(api|private|secret|access|auth)[_-]?key",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"(^|_)(address(es)?|emails?|phones?|(recipient|user|person)(_id)?|recipients)$"
    r"|^(mobile|msisdn|to|from|sender|name|webhook|device|reply_to)$",
    re.IGNORECASE,
)
_BODIES = re.compile(
    r"^(body|text|html|subject|title|data|event|message|content|payload|value|headers|params|arguments)$", re.IGNORECASE
)

_TELLTALES = re.compile(
    r"(?P<userinfo>(?<=://)[^\s/@]+(?=@))"
    r"|(?P<query>(?<=\?)[^\s?#]+=[^\s#]*)"
    r"|(?P<key>\b(?:ang_(?:live|test)_|whsec_|SG\.|sk_|xox[a-z]-)[\w.+/=-]{8,})"
    r"|(?P<header>(?<=bearer )\S+|(?<=basic )[a-z0-9+/=_-]{16,})"
    r"|(?P<email>(?<![^\s@<>\"'(),;:=/])[^\s@<>\"'(),;:=/]++@[^\s@<>\"'(),;:=/]*\w)"
    r"|(?P<phone>\+[1-9]\d{6,14}\b)",
    re.IGNORECASE,
)


def address_hash(secret: bytes, value: str) -> str:
    """A stand-in for an address: the same for the same person, of no use without the secret (any length).

    Sixteen lower-case base32 characters of keyed BLAKE2b-80. Outer spaces do not count, nor does the case of an e-mail
    address.
    """
    key = hashlib.blake2b(secret, digest_size=32).digest()
    plain = value.strip().lower() if "@" in value else value.strip()
    digest = hashlib.blake2b(plain.encode("utf-8", "replace"), digest_size=10, key=key).digest()
    return b32encode(digest).decode().lower()


class Redactor:
    """Makes values fit for a log line. Without a secret people are masked instead of hashed."""

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = secret

    def text(self, text: str) -> str:
        """The text without what looks like a secret or an address, cut at `LONGEST` characters."""
        cut = text if len(text) <= LONGEST else text[:LONGEST] + "…"
        return _TELLTALES.sub(self._replace, cut)

    def field(self, name: str, value: Any, depth: int = 0) -> Any:
        """The value of a field as plain JSON data: judged by the field's name first, then by what it is."""
        if value is None or isinstance(value, bool):
            return value
        if _SECRETS.search(name) or _BODIES.search(name):
            return MASK
        if _PEOPLE.search(name):
            return self._person(value)
        return self._plain(name, value, depth)

    def _plain(self, name: str, value: Any, depth: int) -> Any:
        match value:
            case str():
                return self.text(value)
            case int():
                return int(value)
            case float():
                return value if math.isfinite(value) else str(value)
            case BaseException():
                return self.text(f"{type(value).__name__}: {value}")
            case Mapping() if depth < DEEPEST:
                return {self.text(str(key)): self.field(str(key), item, depth + 1) for key, item in value.items()}
            case list() | tuple() | set() | frozenset() if depth < DEEPEST:
                return [self.field(name, item, depth + 1) for item in value]
            case _:
                return f"<{type(value).__name__}>"

    def _person(self, value: Any) -> Any:
        match value:
            case str() if self._secret:
                return address_hash(self._secret, value)
            case list() | tuple() | set() | frozenset() if self._secret:
                return [self._person(item) for item in value]
            case _:
                return MASK

    def _replace(self, found: re.Match[str]) -> str:
        person = found.lastgroup in ("email", "phone")
        return f"<{address_hash(self._secret, found[0])}>" if person and self._secret else MASK
