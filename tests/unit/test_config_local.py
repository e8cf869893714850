"""The command line finds a server by flag, by variables, or by the word that a run left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from angarium.config import local
from angarium.config.local import Local
from angarium.errors import Misconfigured

KEY = "ang_live_canary"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path)}


def running(pid: int | None = None, url: str = "http://127.0.0.1:8080") -> Local:
    return Local(url=url, key=KEY, pid=os.getpid() if pid is None else pid)


def ended() -> int:
    """The id of a process that was and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_run_leaves_is_read_by_its_owner_only(environ: dict[str, str], tmp_path: Path) -> None:
    local.write(running(), environ)

    assert local.read(environ) == running()
    assert (tmp_path / "angarium" / "local.json").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "angarium") == ["local.json"]


def test_without_the_variable_it_lies_in_the_home_directory(tmp_path: Path) -> None:
    local.write(running(), {"HOME": str(tmp_path), "XDG_STATE_HOME": "relative/is/ignored"})

    assert (tmp_path / ".local" / "state" / "angarium" / "local.json").exists()


def test_the_word_of_a_process_that_ended_does_not_count(environ: dict[str, str]) -> None:
    local.write(running(ended()), environ)

    assert local.read(environ) is None


@pytest.mark.parametrize("pid", [0, -1, 2**70])
def test_a_process_id_that_is_none_does_not_count(environ: dict[str, str], tmp_path: Path, pid: int) -> None:
    (tmp_path / "angarium").mkdir()
    (tmp_path / "angarium" / "local.json").write_text(f'{{"url": "http://a", "key": "k", "pid": {pid}}}')

    assert local.read(environ) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": 1}', b"\xff"])
def test_a_damaged_word_counts_as_none(environ: dict[str, str], tmp_path: Path, content: bytes) -> None:
    (tmp_path / "angarium").mkdir()
    (tmp_path / "angarium" / "local.json").write_bytes(content)

    assert local.read(environ) is None
    local.remove(running(), environ)


def test_a_run_takes_back_its_own_word_and_no_other(environ: dict[str, str]) -> None:
    local.write(running(), environ)
    local.write(running(url="http://127.0.0.1:9"), environ)

    local.remove(running(), environ)
    assert local.read(environ) == running(url="http://127.0.0.1:9")

    local.remove(running(url="http://127.0.0.1:9"), environ)
    assert local.read(environ) is None
    local.remove(running(), environ)


def test_the_flag_comes_before_the_variable_and_that_before_the_file(environ: dict[str, str]) -> None:
    local.write(running(), environ)
    variables = environ | {"ANGARIUM_URL": "https://variable.example.com/", "ANGARIUM_KEY": "k"}

    flag = local.server({"url": "https://flag.example.com"}, variables)
    variable = local.server({"url": None}, variables)
    file = local.server({}, environ)

    assert flag and (flag.url, flag.key, flag.origin) == ("https://flag.example.com", "k", "--url")
    assert variable and (variable.url, variable.key) == ("https://variable.example.com", "k")
    assert file and (file.url, file.key, file.origin) == ("http://127.0.0.1:8080", KEY, "local.json")


def test_without_any_of_them_there_is_no_server(environ: dict[str, str]) -> None:
    assert local.server({}, environ) is None


def test_a_server_that_was_named_needs_a_key_of_its_own(environ: dict[str, str]) -> None:
    """The key of the server on this machine is never sent to another."""
    local.write(running(), environ)

    with pytest.raises(Misconfigured, match="ANGARIUM_KEY"):
        local.server({"url": "https://elsewhere.example.com"}, environ)


@pytest.mark.parametrize(
    "url", ["hunter2", "ftp://hunter2", "http://", "http://u:hunter2@h", "http://h?hunter2", "http://[h"]
)
def test_a_url_that_cannot_be_used_is_refused_unshown(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        local.server({"url": url}, {"ANGARIUM_KEY": "k"})
    assert "--url" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_no_representation_shows_a_key(environ: dict[str, str]) -> None:
    local.write(running(), environ)

    assert KEY not in f"{local.read(environ)!r} {local.server({}, environ)!r}"
