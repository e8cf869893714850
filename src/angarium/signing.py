"""Signatures: what we sign, and what the services sign for us.

Every `verify_*` returns nothing and raises `Forged`; every compare takes the same time whatever differs; no error
carries a secret, a signature or a body. The raw bytes are what counts: nothing is parsed and written again first.

    webhooks out     Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`
    SendGrid events  ECDSA P-256 with SHA-256 over timestamp + body ("signed event webhook")
    Twilio           HMAC-SHA1 over the public URL and the sorted form fields ("request validation")
    our callbacks    keyed BLAKE2b over (delivery, notification, priority, account): no id can be forged
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from angarium.errors import Invalid
from angarium.model.ids import letters
from angarium.model.reasons import Priority
from angarium.ports.provider import Forged

#: Seconds by which a webhook's time may differ from the receiver's, as Standard Webhooks recommends.
TOLERANCE = 300
_PREFIX = "whsec_"
_PORTS = {"https": 443, "http": 80}
_LANES = {priority.value[0]: priority for priority in Priority}


def webhook_secret(key: bytes) -> str:
    """`key` (24 to 64 random bytes) in the form that people copy: `whsec_` and base64."""
    secret = _PREFIX + b64encode(key).decode()
    webhook_key(secret)
    return secret


def webhook_key(secret: str) -> bytes:
    """The bytes of a `whsec_` secret; missing padding is forgiven. Raises `Invalid`, which never shows the secret."""
    mend = "it is `whsec_` and the base64 of 24 to 64 random bytes"
    text = secret.removeprefix(_PREFIX)
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise Invalid("webhook secret", "is not base64", mend) from None
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise Invalid("webhook secret", "has the wrong form or length", mend)
    return key


def sign_webhook(secrets: Sequence[str], message: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1` signature a secret, so that receivers rotate without a gap.

    `timestamp` is whole Unix seconds. Raises `Invalid` for a secret or a message id that cannot be signed.
    """
    if not secrets:
        raise Invalid("webhook secret", "is missing", "give the endpoint a `whsec_` secret")
    if not message or "." in message:
        raise Invalid("webhook-id", "is empty or holds a full stop", "a full stop ends the id in what is signed")
    signed = b"%s.%d.%s" % (message.encode(), timestamp, body)
    return " ".join(_v1(webhook_key(secret), signed) for secret in secrets)


def verify_webhook(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> None:
    """One signature must fit one secret, and the time be near `now` (Unix seconds). Header names are lower case.

    Raises `Forged`, and `Invalid` for a secret of ours that cannot verify.
    """
    message, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 12) or abs(now - int(sent)) > TOLERANCE:
        raise Forged("webhook-timestamp is missing, unreadable or too far from now")
    if not message or "." in message:
        raise Forged("webhook-id is missing or holds a full stop")
    given = headers.get("webhook-signature", "").split(" ")
    wanted = sign_webhook(secrets, message, int(sent), body).split(" ")
    if not any(_same(one, other) for one in given for other in wanted):
        raise Forged("no webhook-signature fits")


def _v1(key: bytes, signed: bytes) -> str:
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


def _same(one: str, other: str) -> bool:
    """Constant time for any text, also for what is not ASCII."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def events_key(text: str) -> EllipticCurvePublicKey:
    """SendGrid's verification key: the base64 of a P-256 SubjectPublicKeyInfo on one line. Raises `Invalid`."""
    mend = "copy the verification key of the event webhook: one line of base64, no PEM frame"
    try:
        key = load_der_public_key(b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("webhook_key", "is not a public key", mend) from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise Invalid("webhook_key", "is not an elliptic curve key on P-256", mend)
    return key


def sign_events(key: EllipticCurvePrivateKey, timestamp: str, body: bytes) -> str:
    """What SendGrid writes into `X-Twilio-Email-Event-Webhook-Signature`: base64 of a DER signature."""
    return b64encode(key.sign(timestamp.encode() + body, ECDSA(SHA256()))).decode()


def verify_events(key: EllipticCurvePublicKey, timestamp: str, body: bytes, signature: str) -> None:
    """Raises `Forged`. There is no age limit: the service repeats an event for a day, so repetition is dedup's work.

    Both halves of the range of `s` are taken, for the service does not normalise it; another base64 spelling of the
    same signature is not.
    """
    try:
        raw = b64decode(signature, validate=True)
        key.verify(raw, timestamp.encode() + body, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise Forged("the event signature does not fit") from None
    if b64encode(raw) != signature.encode():
        raise Forged("the event signature is not plain base64")


def sign_twilio(token: str, url: str, fields: Iterable[tuple[str, str]] = ()) -> str:
    """What Twilio writes into `X-Twilio-Signature`. `url` is the exact public one, with its query.

    A field name that comes several times counts once for each different value, in order of the values.
    """
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return b64encode(hmac.digest(token.encode(), signed.encode("utf-8", "surrogatepass"), "sha1")).decode()


def verify_twilio(token: str, url: str, body: bytes, signature: str) -> None:
    """Raises `Forged`. `body` is the form, or anything at all when the query names its `bodySHA256`.

    The URL may be signed with the scheme's own port or without it: the service does both.
    """
    expected = parse_qs(urlsplit(url).query).get("bodySHA256")
    if expected and not _same(expected[0], hashlib.sha256(body).hexdigest()):
        raise Forged("bodySHA256 does not fit the body")
    fields = () if expected else form(body)
    if not any(_same(sign_twilio(token, spelling, fields), signature) for spelling in _spellings(url)):
        raise Forged("x-twilio-signature does not fit")


def form(body: bytes) -> tuple[tuple[str, str], ...]:
    """The fields of an `application/x-www-form-urlencoded` body, empty ones too. Raises `Forged` for anything else."""
    try:
        return tuple(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000))
    except ValueError:
        raise Forged("the body is not a form") from None


def _spellings(url: str) -> tuple[str, ...]:
    """The URL as it is, and once more with its scheme's own port added or taken away."""
    parts = urlsplit(url)
    port = f":{_PORTS.get(parts.scheme, 0)}"
    if parts.netloc.endswith(port):
        return url, parts._replace(netloc=parts.netloc.removesuffix(port)).geturl()
    return (url, parts._replace(netloc=parts.netloc + port).geturl()) if parts.port is None else (url,)


def reference(secret: bytes, delivery: str, notification: str, priority: Priority, account: str) -> str:
    """What travels with a message beside its delivery id: `{notification}.{c|n|b}.{tag}`.

    A callback that brings both back needs no look-up: the tag proves that we wrote them for this account.
    """
    return f"{notification}.{priority.value[0]}.{_tag(secret, delivery, notification, priority.value, account)}"


def read_reference(secret: bytes, ref: str, delivery: str, account: str) -> tuple[str, Priority] | None:
    """The notification and its priority; None for a wrong form or tag. `account` is the one that was called back."""
    notification, _, rest = ref.partition(".")
    lane, _, tag = rest.partition(".")
    priority = _LANES.get(lane)
    if priority is None or not _same(tag, _tag(secret, delivery, notification, priority.value, account)):
        return None
    return notification, priority


def _tag(secret: bytes, *parts: str) -> str:
    """Keyed BLAKE2b-80 over `length:text` of each part, as 16 lower-case base32 characters.

    Raises `Invalid` for an empty secret; one longer than BLAKE2b's 64 bytes is hashed first, as HMAC does.
    """
    if not secret:
        raise Invalid("secret", "is empty", "set one, or let it be made in the data directory")
    key = secret if len(secret) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(secret).digest()
    state = hashlib.blake2b(digest_size=10, key=key)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        state.update(b"%d:%s" % (len(encoded), encoded))
    return letters(state.digest())
