"""Signatures: ours against the services' own libraries, theirs against ours, and everything that must not verify."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlencode

import pytest
import standardwebhooks
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook
from twilio.request_validator import RequestValidator

from angarium.errors import Invalid
from angarium.model.reasons import Priority
from angarium.ports.provider import Forged
from angarium.signing import (
    events_key,
    form,
    read_reference,
    reference,
    sign_events,
    sign_twilio,
    sign_webhook,
    verify_events,
    verify_twilio,
    verify_webhook,
    webhook_key,
    webhook_secret,
)

NOW = 1_700_000_000
SECRET, OTHER = webhook_secret(b"a" * 24), webhook_secret(b"b" * 64)
KEY = ec.derive_private_key(7, ec.SECP256R1())
#: The order of the curve P-256 (FIPS 186-5).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PLACE = "https://relay.example/v1/callbacks/sms?delivery_id=dlv_1&ref=a.b.c"
NEEDLESS_PORT = PLACE.replace(".example/", ".example:443/")


def headers(secrets: tuple[str, ...] = (SECRET,), sent: int = NOW, body: bytes = b"{}") -> dict[str, str]:
    signature = sign_webhook(secrets, "msg_1", sent, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(sent), "webhook-signature": signature}


def public(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


# Standard Webhooks


@given(key=st.binary(min_size=24, max_size=64), body=st.text(), sent=st.integers(0, 2**33))
def test_webhooks_are_signed_as_the_standards_own_library_does(key: bytes, body: str, sent: int) -> None:
    theirs = standardwebhooks.Webhook(key).sign("msg_1", datetime.fromtimestamp(sent, UTC), body)
    assert sign_webhook([webhook_secret(key)], "msg_1", sent, body.encode()) == theirs


def test_the_standards_own_library_verifies_our_webhooks() -> None:
    sent = int(datetime.now(UTC).timestamp())
    for secret in (SECRET, OTHER):
        standardwebhooks.Webhook(secret).verify(b"{}", headers((SECRET, OTHER), sent))


def test_while_secrets_are_rotated_either_of_two_is_enough_on_either_side() -> None:
    verify_webhook([OTHER], headers((SECRET, OTHER)), b"{}", NOW)
    verify_webhook([SECRET, OTHER], headers((OTHER,)), b"{}", NOW)


@pytest.mark.parametrize("age", [-300, 0, 300])
def test_a_webhook_within_five_minutes_is_taken(age: int) -> None:
    verify_webhook([SECRET], headers(), b"{}", NOW + age)


@pytest.mark.parametrize("age", [-301, 301, 1e9])
def test_a_webhook_from_another_time_is_forged(age: float) -> None:
    with pytest.raises(Forged):
        verify_webhook([SECRET], headers(), b"{}", NOW + age)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "msg_2"),
        ("webhook-id", ""),
        ("webhook-id", "msg.1"),
        ("webhook-timestamp", str(NOW + 1)),
        ("webhook-timestamp", f"{NOW}.0"),
        ("webhook-timestamp", f" {NOW}"),
        ("webhook-timestamp", "\u0661"),
        ("webhook-timestamp", "9" * 5000),
        ("webhook-timestamp", ""),
        ("webhook-signature", ""),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1a," + headers()["webhook-signature"][3:]),
        ("webhook-signature", headers()["webhook-signature"] + "="),
        ("webhook-signature", "v1,\xe9"),
    ],
)
def test_a_webhook_with_a_changed_header_is_forged(name: str, value: str) -> None:
    with pytest.raises(Forged):
        verify_webhook([SECRET], {**headers(), name: value}, b"{}", NOW)


def test_a_webhook_with_another_body_or_secret_is_forged() -> None:
    for secret, body in ((SECRET, b"{ }"), (OTHER, b"{}")):
        with pytest.raises(Forged):
            verify_webhook([secret], headers(), body, NOW)


def test_a_full_stop_cannot_move_from_the_body_into_the_id() -> None:
    """`a` + `.` + `1` + `.` + `b` would be signed alike for the id `a.1` and the body `b`."""
    with pytest.raises(Invalid, match="webhook-id"):
        sign_webhook([SECRET], "msg.1", NOW, b"{}")


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        b64encode(b"a" * 24).decode(),
        "whsec_" + b64encode(b"a" * 23).decode(),
        "whsec_" + b64encode(b"a" * 65).decode(),
        "whsec_!" + b64encode(b"a" * 24).decode(),
        "whsec_\xe9" + b64encode(b"a" * 24).decode(),
    ],
)
def test_a_secret_that_cannot_sign_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(Invalid) as caught:
        sign_webhook([secret], "msg_1", NOW, b"{}")
    assert len(secret) < 8 or secret[6:] not in str(caught.value)


def test_no_secret_at_all_is_refused() -> None:
    with pytest.raises(Invalid, match="missing"):
        sign_webhook([], "msg_1", NOW, b"{}")


def test_a_secret_may_lack_its_padding() -> None:
    assert webhook_key(webhook_secret(b"a" * 25).rstrip("=")) == b"a" * 25


# SendGrid's event webhook


def test_event_signatures_verify_in_the_services_own_library() -> None:
    signature = sign_events(KEY, str(NOW), b'[{"event":"open"}]\r\n')
    assert EventWebhook(public(KEY)).verify_signature('[{"event":"open"}]\r\n', signature, str(NOW))


def test_our_own_event_signatures_verify() -> None:
    verify_events(events_key(public(KEY)), str(NOW), b"[]", sign_events(KEY, str(NOW), b"[]"))


def test_both_halves_of_the_signature_range_verify_as_the_service_uses_both() -> None:
    r, s = decode_dss_signature(b64decode(sign_events(KEY, str(NOW), b"[]")))
    for half in (s, ORDER - s):
        signature = b64encode(encode_dss_signature(r, half)).decode()
        verify_events(events_key(public(KEY)), str(NOW), b"[]", signature)


def bad_signatures() -> list[str]:
    raw = b64decode(sign_events(KEY, str(NOW), b"[]"))
    r, s = decode_dss_signature(raw)
    pairs = [(0, s), (r, 0), (0, 0), (r + ORDER, s), (r, s + ORDER), (s, r)]
    forms = [*(encode_dss_signature(*pair) for pair in pairs), raw[:-1], raw + b"\0", b"", b"\x30\x00"]
    return [*(b64encode(form).decode() for form in forms), b64encode(raw).decode() + "\n", "%", "\xe9"]


@pytest.mark.parametrize("signature", bad_signatures(), ids=lambda _: "form")
def test_an_event_signature_of_another_form_is_forged(signature: str) -> None:
    with pytest.raises(Forged):
        verify_events(events_key(public(KEY)), str(NOW), b"[]", signature)


def test_another_base64_spelling_of_an_event_signature_is_forged() -> None:
    """The bits that padding leaves over carry nothing, so they would be a second spelling."""
    for attempt in range(100):
        signature = sign_events(KEY, str(NOW), b"%d" % attempt)
        if signature.endswith("=") and not signature.endswith("=="):
            break
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet[alphabet.index(signature[-2]) + 1]
    assert b64decode(signature[:-2] + last + "=") == b64decode(signature)
    with pytest.raises(Forged):
        verify_events(events_key(public(KEY)), str(NOW), b"%d" % attempt, signature[:-2] + last + "=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64",
        b64encode(b"not a key").decode(),
        public(ec.derive_private_key(7, ec.SECP384R1())),
        public(ed25519.Ed25519PrivateKey.from_private_bytes(b"a" * 32)),
        "-----BEGIN PUBLIC KEY-----\n" + public(KEY),
    ],
)
def test_a_verification_key_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="webhook_key"):
        events_key(text)


# Twilio


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_forms_are_signed_as_the_services_own_library_does(fields: dict[str, str]) -> None:
    assert sign_twilio("token", PLACE, fields.items()) == RequestValidator("token").compute_signature(PLACE, fields)


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_what_is_signed_verifies_after_its_way_through_a_form(fields: list[tuple[str, str]]) -> None:
    body = urlencode(fields).encode()
    assert sorted(form(body)) == sorted(fields)
    verify_twilio("token", PLACE, body, sign_twilio("token", PLACE, fields))


def test_a_field_that_comes_several_times_is_signed_once_a_value() -> None:
    signature = sign_twilio("token", PLACE, [("b", "2"), ("a", "1"), ("b", "1"), ("b", "2")])
    assert signature == sign_twilio("token", PLACE + "a1b1b2")


def test_fields_of_any_name_and_empty_ones_are_signed_too() -> None:
    signature = RequestValidator("token").compute_signature(PLACE, {"To": "+1", "NewField": "x", "Empty": ""})
    verify_twilio("token", PLACE, b"NewField=x&To=%2B1&Empty=", signature)
    for body in (b"To=%2B1", b"NewField=x&To=%2B1", b"NewField=x&To=%2B1&Empty=&More=1"):
        with pytest.raises(Forged):
            verify_twilio("token", PLACE, body, signature)


def test_the_schemes_own_port_may_be_there_or_not() -> None:
    fields = {"To": "+1"}
    for ours, theirs in ((PLACE, PLACE), (PLACE, NEEDLESS_PORT), (NEEDLESS_PORT, PLACE)):
        verify_twilio("token", ours, b"To=%2B1", RequestValidator("token").compute_signature(theirs, fields))
        assert RequestValidator("token").validate(ours, fields, sign_twilio("token", theirs, fields.items()))


@pytest.mark.parametrize(
    "url",
    [
        PLACE.replace("https", "http"),
        PLACE.replace("relay", "other"),
        PLACE.replace(".example", ".example:8443"),
        PLACE.replace("dlv_1", "dlv_2"),
        PLACE + "&more=1",
        PLACE.partition("?")[0],
    ],
)
def test_a_form_signed_for_another_url_is_forged(url: str) -> None:
    with pytest.raises(Forged):
        verify_twilio("token", PLACE, b"To=%2B1", sign_twilio("token", url, [("To", "+1")]))


def test_a_body_that_is_no_form_is_verified_by_its_hash() -> None:
    body = '{"status":"délivré"}'
    url = f"{PLACE}&bodySHA256={sha256(body.encode()).hexdigest()}"
    signature = sign_twilio("token", url)
    verify_twilio("token", url, body.encode(), signature)
    assert RequestValidator("token").validate(url, body, signature)
    with pytest.raises(Forged, match="bodySHA256"):
        verify_twilio("token", url, b"{}", signature)


@pytest.mark.parametrize("body", [b"\xff", b"a=%ff", b"&".join([b"a=1"] * 1001)])
def test_a_body_that_cannot_be_read_is_forged(body: bytes) -> None:
    with pytest.raises(Forged, match="form"):
        verify_twilio("token", PLACE, body, "")


# Our own callback references


@given(st.text(), st.text(alphabet=st.characters(exclude_characters=".")), st.sampled_from(Priority), st.text())
def test_a_reference_tells_the_notification_and_its_priority(
    delivery: str, notification: str, priority: Priority, account: str
) -> None:
    ref = reference(b"secret", delivery, notification, priority, account)
    assert read_reference(b"secret", ref, delivery, account) == (notification, priority)


def test_a_reference_is_short_plain_and_always_the_same() -> None:
    first, again = (reference(b"secret", "dlv_1", "ntf_1", Priority.bulk, "sms") for _ in range(2))
    assert first == again
    notification, lane, tag = first.split(".")
    assert (notification, lane, len(tag)) == ("ntf_1", "b", 16)
    assert tag.isalnum() and tag == tag.lower()


GOOD = reference(b"secret", "dlv_1", "ntf_1", Priority.normal, "sms")


@pytest.mark.parametrize("index", range(len(GOOD)))
def test_a_reference_with_one_character_changed_is_nobodys(index: int) -> None:
    changed = GOOD[:index] + chr(ord(GOOD[index]) ^ 1) + GOOD[index + 1 :]
    assert read_reference(b"secret", changed, "dlv_1", "sms") is None


@pytest.mark.parametrize(
    "ref", ["", ".", "..", "ntf_1.n.", "ntf_1.n", GOOD + ".", GOOD + "a", GOOD[:-1], "\xe9.n.\xe9"]
)
def test_a_reference_of_another_form_is_nobodys(ref: str) -> None:
    assert read_reference(b"secret", ref, "dlv_1", "sms") is None


def test_a_reference_fits_one_delivery_one_account_and_one_secret() -> None:
    assert read_reference(b"secret", GOOD, "dlv_2", "sms") is None
    assert read_reference(b"secret", GOOD, "dlv_1", "sms_eu") is None
    assert read_reference(b"other", GOOD, "dlv_1", "sms") is None
    assert read_reference(b"secret", GOOD.replace(".n.", ".c."), "dlv_1", "sms") is None


def test_a_secret_may_be_longer_than_the_hash_takes_but_not_empty() -> None:
    ref = reference(b"s" * 100, "dlv_1", "ntf_1", Priority.critical, "sms")
    assert read_reference(b"s" * 100, ref, "dlv_1", "sms") == ("ntf_1", Priority.critical)
    assert read_reference(b"s" * 101, ref, "dlv_1", "sms") is None
    with pytest.raises(Invalid, match="secret"):
        reference(b"", "dlv_1", "ntf_1", Priority.critical, "sms")
