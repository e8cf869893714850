"""Adapters are found by file name, imported only when asked for, and never because they are merely installed."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import angarium.providers
from angarium.errors import Invalid, Misconfigured
from angarium.plugins import load, names

DIST = """Metadata-Version: 2.1
Name: courier
Version: 1.0
"""
ENTRIES = """[angarium.providers]
pigeon = courier_pigeon
twilio = courier_pigeon
number = courier_pigeon:NUMBER
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of somebody else, with entry points."""
    info = tmp_path / "courier-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(DIST)
    (info / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "courier_pigeon.py").write_text("NUMBER = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "courier_pigeon", raising=False)
    importlib.invalidate_caches()


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Path]:
    """A folder whose files count as files of `angarium/providers`."""
    angarium.providers.__path__.append(str(tmp_path))
    yield tmp_path
    angarium.providers.__path__.remove(str(tmp_path))


def test_an_adapter_is_the_module_of_its_name() -> None:
    module = load("providers", "twilio")
    assert isinstance(module, ModuleType)
    assert module.__name__ == "angarium.providers.twilio"


def test_names_are_those_of_the_files() -> None:
    assert names("providers") == ("console", "inbox", "sendgrid", "twilio", "webhook")


def test_a_file_whose_name_starts_with_an_underscore_is_hidden(ours: Path) -> None:
    (ours / "_shared.py").write_text("")
    (ours / "fax.py").write_text("")
    assert "fax" in names("providers")
    assert "_shared" not in names("providers")


def test_naming_and_loading_import_nothing_that_was_not_asked_for() -> None:
    code = (
        "import sys; from angarium.plugins import load, names; names('providers'); "
        "before = {m for m in sys.modules if m.startswith('angarium.providers')}; load('providers', 'console'); "
        "after = {m for m in sys.modules if m.startswith('angarium.providers.')}; sys.exit(str((before, after)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "(set(), {'angarium.providers.console'})"


def test_a_typo_names_the_nearest_adapter_and_not_itself() -> None:
    with pytest.raises(Invalid, match="the nearest is `sendgrid`") as caught:
        load("providers", "sengrid")
    assert "sengrid" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "Twilio", "twilio.x", "../twilio", "..", "__init__", "_tag", "os", "twilio\n"])
def test_what_is_no_name_of_a_file_is_not_looked_for(name: str) -> None:
    with pytest.raises(Invalid):
        load("providers", name, allow=(name,))


@pytest.mark.parametrize("package", ["", "nothing", "errors", "..os", "model.ids"])
def test_what_is_no_package_of_adapters_is_refused(package: str) -> None:
    with pytest.raises(Invalid):
        names(package)


def test_a_missing_package_is_named_with_what_to_install(ours: Path) -> None:
    (ours / "fax.py").write_text("import a_package_that_nobody_has\n")
    with pytest.raises(Misconfigured, match=r"a_package_that_nobody_has.*install angarium\[fax\]"):
        load("providers", "fax")


def test_a_missing_module_of_ours_is_a_defect_and_stays_one(ours: Path) -> None:
    (ours / "telex.py").write_text("import angarium.no_such_module\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load("providers", "telex")


@pytest.mark.usefixtures("installed")
def test_an_installed_adapter_of_others_is_loaded_only_when_its_name_is_allowed() -> None:
    with pytest.raises(Invalid):
        load("providers", "pigeon")
    assert "courier_pigeon" not in sys.modules
    assert load("providers", "pigeon", allow=("pigeon",)).__name__ == "courier_pigeon"


@pytest.mark.usefixtures("installed")
def test_an_adapter_of_others_cannot_take_the_name_of_ours() -> None:
    assert load("providers", "twilio", allow=("twilio",)).__name__ == "angarium.providers.twilio"


@pytest.mark.usefixtures("installed")
def test_an_entry_point_that_names_no_module_is_refused() -> None:
    with pytest.raises(Misconfigured, match="it must name a module"):
        load("providers", "number", allow=("number",))


def test_an_allowed_name_that_nobody_installed_is_refused() -> None:
    with pytest.raises(Invalid, match="the nearest is"):
        load("providers", "pigeons", allow=("pigeons",))
