"""Generated credentials, for accounts that have none: stable, so that a restart of either side changes nothing."""

from __future__ import annotations

import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from msgspec import Meta, Struct

from angarium.errors import Invalid
from angarium.sandbox.twilio import OWNED
from angarium.signing import webhook_secret

FILE, KEY_FILE = "sandbox.json", "sandbox.pem"
SENDER = "Angarium sandbox <sandbox@example.com>"


class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of `sandbox.json`, each in the form that its service gives out."""

    sendgrid_api_key: Annotated[str, Meta(pattern=r"^SG\.")]
    twilio_account_sid: Annotated[str, Meta(pattern=r"^AC[0-9a-f]{32}$")]
    twilio_auth_token: Annotated[str, Meta(min_length=1)]
    webhook_secret: Annotated[str, Meta(pattern=r"^whsec_")]

    def __repr__(self) -> str:
        return "Keys(...)"


class Credentials:
    """What the sandbox knows its callers by, and the key pair of its event webhook."""

    def __init__(self, keys: Keys, private_key: EllipticCurvePrivateKey) -> None:
        self.keys, self.private_key = keys, private_key

    @property
    def public_key(self) -> str:
        """The verification key as SendGrid shows it: base64 of the SubjectPublicKeyInfo, one line."""
        public = self.private_key.public_key()
        return b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

    def settings(self, use: str, url: str, account: str) -> dict[str, str]:
        """The settings that an account of the provider `use` needs to speak to the sandbox at `url`.

        A second account of a service gets a path of its own, so that its callbacks come to it. A provider that has no
        stand-in needs nothing: the answer is empty.
        """
        place = f"{url}/{use}" if account == use else f"{url}/{use}/{account}"
        match use:
            case "sendgrid":
                known = {"api_key": self.keys.sendgrid_api_key, "webhook_key": self.public_key}
                return {"base_url": place, "sender": SENDER} | known
            case "twilio":
                known = {"account_sid": self.keys.twilio_account_sid, "auth_token": self.keys.twilio_auth_token}
                return {"base_url": place, "sender": OWNED} | known
            case "webhook":
                return {"secret": self.keys.webhook_secret}
            case _:
                return {}


def credentials(data: Path) -> Credentials:
    """Read them from the data directory, or make them there first (files of mode 0600).

    Raises `Invalid` for a file that cannot be read; its content is never told.
    """
    data.mkdir(parents=True, exist_ok=True)
    keys, key = data / FILE, data / KEY_FILE
    make(keys, lambda: msgspec.json.encode(generate()))
    make(key, pem)
    try:
        return Credentials(msgspec.json.decode(keys.read_bytes(), type=Keys), load(key.read_bytes()))
    except (msgspec.DecodeError, ValueError, TypeError):
        raise Invalid(
            f"{FILE} or {KEY_FILE}", "this is not what was written", "remove both; new ones are made"
        ) from None


def make(path: Path, content: Callable[[], bytes]) -> None:
    """Write a secret file unless it is there. It appears whole, and of two processes that make it one wins."""
    if path.exists():
        return
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # the other one's is as good
    finally:
        fresh.unlink()


def generate() -> Keys:
    """Fresh ones."""
    return Keys(
        sendgrid_api_key=f"SG.{secrets.token_urlsafe(16)}.{secrets.token_urlsafe(32)}",
        twilio_account_sid=f"AC{secrets.token_hex(16)}",
        twilio_auth_token=secrets.token_hex(16),
        webhook_secret=webhook_secret(secrets.token_bytes(32)),
    )


def pem() -> bytes:
    """A fresh P-256 key."""
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load(text: bytes) -> EllipticCurvePrivateKey:
    """Raises `ValueError` or `TypeError` for anything but an elliptic curve key without a password."""
    key = load_pem_private_key(text, password=None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("not an elliptic curve key")
    return key
