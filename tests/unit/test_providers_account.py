"""What the accounts of all services have alike."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from angarium.model.message import Sms
from angarium.providers import Account, Secret, allowance, parsed


class Vault(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Secret
    name: str = "ours"


def test_a_repr_names_every_setting_and_stars_the_secret_ones() -> None:
    shown = repr(Vault(key="canary", base_url="https://one.example"))
    assert shown == (
        "Vault(base_url='https://one.example', timeout=15.0, rate=None, concurrency=64, ca_file=None,"
        " key='***', name='ours')"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"key": ""},
        {"key": "k", "timeout": 0},
        {"key": "k", "rate": 0},
        {"key": "k", "concurrency": 0},
        {"key": ["canary"]},
        {"key": "k", "name": ["canary"]},
    ],
)
def test_settings_that_cannot_work_are_refused_without_being_shown(settings: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(settings, Vault)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("deadline", "seconds"), [(0.0, 15.0), (200.0, 15.0), (107.0, 7.0), (99.0, 0.001)])
def test_a_call_may_take_the_timeout_or_what_is_left_of_the_deadline(deadline: float, seconds: float) -> None:
    message = Sms(id="dlv_1", to="+15005550006", text="Hello", deadline=deadline)
    assert allowance(Account(), message, now=100.0) == seconds


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":"\xff"}', b'{"a":1}', b"[" * 100_000, b"null"])
def test_garbage_is_none_whatever_is_wrong_with_it(body: bytes) -> None:
    assert parsed(body, dict[str, str]) is None
    assert parsed(b'{"a":"b"}', dict[str, str]) == {"a": "b"}
