"""The secret is made once, kept private, and the same wherever its text stands."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from angarium.config.secret import secret
from angarium.config.settings import Settings
from angarium.errors import Misconfigured


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path / "data"))

    first = secret(settings)

    assert secret(settings) == first
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex((tmp_path / "data" / "secret").read_text())) == 32
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    assert secret(Settings(data=str(tmp_path / "a"))) != secret(Settings(data=str(tmp_path / "b")))


def test_those_who_start_at_once_get_the_same_secret(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(secret, [settings] * 32))) == 1


def test_the_text_of_the_file_may_be_moved_into_the_setting(tmp_path: Path) -> None:
    made = secret(Settings(data=str(tmp_path)))

    text = (tmp_path / "secret").read_text().strip()

    assert secret(Settings(data="/nowhere", secret=text)) == made


@pytest.mark.parametrize("text", ["s" * 32, "s" * 500, "ä" * 64])
def test_a_secret_of_any_length_is_a_key_of_keyed_blake2b(text: str) -> None:
    key = secret(Settings(secret=text))

    assert len(hashlib.blake2b(b"x", key=key, digest_size=10).digest()) == 10
    assert text.encode() not in key


def test_a_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    secret(Settings(data=str(tmp_path)))
    (tmp_path / "secret").chmod(0o644)

    with pytest.raises(Misconfigured, match="chmod 600"):
        secret(Settings(data=str(tmp_path)))


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64])
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    (tmp_path / "secret").chmod(0o600)

    with pytest.raises(Misconfigured, match="secret"):
        secret(Settings(data=str(tmp_path)))
    assert (tmp_path / "secret").read_bytes() == content


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Misconfigured, match="cannot be used"):
        secret(Settings(data=str(tmp_path / "file" / "data")))
