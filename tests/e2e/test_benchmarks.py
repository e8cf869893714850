"""The benchmarks run, small, and answer every question; how well they do is not judged here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks import machine
from benchmarks.figures import Figure, line, quantile

ROOT = Path(__file__).parent.parent.parent
FIGURES = {
    "yardstick.flush": "fsyncs/s",
    "yardstick.answer": "answers/s",
    "ingest.single": "events/s",
    "ingest.batch": "events/s",
    "ingest.single.alone": "events/s",
    "ingest.batch.alone": "events/s",
    "pipeline.rate": "deliveries/s",
    "pipeline.cpu": "us/delivery",
    "latency.p50": "ms",
    "latency.p99": "ms",
    "start.cold": "s",
    "start.warm": "s",
    "idle.memory": "MiB",
    "command.version": "ms",
    "command.import": "ms",
    "wheel.size": "KiB",
}


def figure(value: float) -> Figure:
    return Figure("pipeline.rate", value, "deliveries/s", "10 events waiting")


@pytest.mark.timeout(300)
def test_every_question_is_answered_with_a_figure_above_zero() -> None:
    command = [sys.executable, "-m", "benchmarks", "--small", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    figures = [msgspec.json.decode(text, type=Figure) for text in done.stdout.splitlines()]
    assert {found.name: found.unit for found in figures} == FIGURES
    assert len(figures) == len(FIGURES)
    assert [found.name for found in figures if not found.value > 0] == []


def test_a_question_that_nobody_asks_is_refused_with_those_there_are() -> None:
    command = [sys.executable, "-m", "benchmarks", "speed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "there is no question speed: choose of yardstick, ingest, pipeline" in done.stderr


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, value: float) -> None:
    assert quantile([float(n) for n in range(100, 0, -1)], share) == value


def test_a_line_shows_what_was_recorded_beside_what_was_measured() -> None:
    assert " ".join(line(figure(1234.5)).split()) == "pipeline.rate 1,234 deliveries/s 10 events waiting"
    assert " ".join(line(figure(12.34), 11.0).split()) == "pipeline.rate 12.3 deliveries/s [11.0] 10 events waiting"


def test_only_the_last_record_of_the_same_size_on_the_same_machine_compares(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert machine.recorded(small=False, path=path) == {}

    for small, value in ((False, 1.0), (False, 2.0), (True, 3.0)):
        machine.record(small, 0.5, [figure(value)], path)
    other = msgspec.structs.replace(machine.machine(), cores=999)
    with path.open("ab") as history:
        history.write(msgspec.json.encode(machine.Entry("", "", False, 0.0, other, (figure(4.0),))) + b"\n")

    assert machine.recorded(small=False, path=path) == {"pipeline.rate": 2.0}
    assert machine.recorded(small=True, path=path) == {"pipeline.rate": 3.0}


def test_a_record_names_no_place_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    machine.record(True, 0.5, [figure(1.0)], path)

    text = path.read_text()
    assert str(tmp_path) not in text and str(ROOT) not in text
