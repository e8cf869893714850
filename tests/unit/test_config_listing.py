"""The reference of settings is complete and true."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from angarium.config.listing import Setting, listing
from angarium.config.settings import Settings
from angarium.config.sources import load

ROWS = listing()


def test_every_field_of_the_struct_has_a_row() -> None:
    assert {row.key.split(".")[0] for row in ROWS} == {field.name for field in msgspec.structs.fields(Settings)}


def test_the_keys_are_told_apart() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_each_row_says_what_it_is_for_in_a_sentence(row: Setting) -> None:
    assert row.description.endswith(".")
    assert row.kind not in ("", "a value")


@pytest.mark.parametrize("row", [row for row in ROWS if row.default and "*" not in row.key], ids=lambda row: row.key)
def test_writing_the_default_into_the_file_changes_nothing(row: Setting, tmp_path: Path) -> None:
    (tmp_path / "angarium.toml").write_text(f"{row.key} = {row.default}")

    assert load(tmp_path, {}, {}).settings == load(tmp_path / "..", {}, {"data": str(tmp_path / "data")}).settings


def test_what_carries_credentials_is_marked() -> None:
    assert {row.key for row in ROWS if row.secret} == {"broker", "state", "database", "secret", "providers.*.*"}
