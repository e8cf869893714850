"""Project directories for tests: copies of real ones, wired to stand-ins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from angarium.sandbox import demo
from tests.e2e.stand_ins import StandIns

GITHUB = Path(__file__).parents[2] / "examples" / "github"
DEMO = demo.project()
#: Where the stand-ins listen unless told otherwise, as the example's workflows have it.
USUAL = "127.0.0.1:8090"


def copied(source: Path, to: Path, changes: Mapping[str, str] = {}) -> Path:
    """A copy of a project whose text files have each key of `changes` replaced by its value."""
    shutil.copytree(source, to)
    for file in to.rglob("*.toml"):
        text = file.read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        file.write_text(text)
    return to


def wired(project: Path, stand_ins: StandIns, public_url: str, **account: float) -> Path:
    """The project with full credentials for stand-ins of their own, and no sandbox. `account` holds for each."""
    tables = {use: stand_ins.credentials.settings(use, stand_ins.url, use) for use in ("sendgrid", "twilio", "webhook")}
    lines = [
        f"public_url = {json.dumps(public_url)}",
        "sandbox = false",
        "[hooks]",
        f"allow = {json.dumps([stand_ins.address])}",
    ]
    for name, table in tables.items():
        lines.append(f"[providers.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in {**table, **account}.items()]
    (project / "angarium.toml").write_text("\n".join(lines) + "\n")
    return project


def hurried(project: Path, reconcile: str = "3s") -> Path:
    """The project with short waits, so that what was interrupted comes to its end while the test looks on."""
    names = [line.strip("[]\n ") for line in _categories(project) if line.startswith("[")]
    lines = [line for line in _categories(project) if line.partition("=")[0].strip() not in ("retries", "reconcile")]
    text = "\n".join(lines)
    for name in names:
        text = text.replace(
            f"[{name}]", f'[{name}]\nretries = ["500ms", "1s", "1s", "2s", "2s", "5s"]\nreconcile = "{reconcile}"'
        )
    (project / "categories.toml").write_text(text + "\n")
    return project


def _categories(project: Path) -> list[str]:
    return (project / "categories.toml").read_text().splitlines()


#: One step, one channel each; waits short enough that a test can see what follows a fault.
SMALL = {
    "categories.toml": '[quick]\nretries = ["300ms", "500ms", "1s", "1s", "2s"]\nreconcile = "1s"\n',
    "workflows/email_ping.toml": 'on = "email.ping"\ncategory = "quick"\nsteps = [{ send = "email" }]\n'
    '[email]\nsubject = "Ping {{ event.id }}"\ntext = "Pong."\n',
    "workflows/sms_ping.toml": 'on = "sms.ping"\ncategory = "quick"\nsteps = [{ send = "sms" }]\n'
    '[sms]\ntext = "Ping {{ event.id }}"\n',
    "workflows/webhook_ping.toml": 'on = "webhook.ping"\ncategory = "quick"\nsteps = [{ send = "webhook" }]\n',
    "workflows/all_ping.toml": 'on = "all.ping"\ncategory = "quick"\nsteps = [{ send = ["email", "sms"] }]\n'
    '[email]\nsubject = "Ping {{ event.id }}"\ntext = "Pong."\n[sms]\ntext = "Ping {{ event.id }}"\n',
}


def written(place: Path, files: Mapping[str, str] = SMALL) -> Path:
    """A project directory with these files."""
    for name, text in files.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return place
