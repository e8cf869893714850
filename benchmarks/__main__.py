"""`python -m benchmarks [QUESTION ...] [--small] [--json] [--record]`."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks import command, ingest, latency, machine, pipeline, rest, wheel, yardstick
from benchmarks.figures import FULL, SMALL, Failed, Figure, Question, line

QUESTIONS: Mapping[str, Question] = {
    "yardstick": yardstick.measure,
    "ingest": ingest.measure,
    "pipeline": pipeline.measure,
    "latency": latency.measure,
    "rest": rest.measure,
    "command": command.measure,
    "wheel": wheel.measure,
}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Angarium on this machine.")
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=f"of {', '.join(QUESTIONS)}; default: all")
    parser.add_argument("--small", action="store_true", help="under a minute: shows that it works, not how fast")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--record", action="store_true", help="append the figures to benchmarks/history.jsonl")
    given = parser.parse_args(argv)
    if unknown := [name for name in given.questions if name not in QUESTIONS]:
        parser.error(f"there is no question {unknown[0]}: choose of {', '.join(QUESTIONS)}")
    return given


def main(argv: Sequence[str]) -> int:
    """The exit code: 1 when something could not be measured, after all else was."""
    given = arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    references, before = machine.recorded(given.small), machine.busy()
    if not given.json:
        print(f"{machine.described(machine.machine())}; {before} processes were busy before")
    found, failed = list[Figure](), False
    for name in given.questions or QUESTIONS:
        try:
            figures = QUESTIONS[name](SMALL if given.small else FULL)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            print(f"{name}: {error}", file=sys.stderr, flush=True)
            failed = True
            continue
        for figure in figures:
            shown = msgspec.json.encode(figure).decode() if given.json else line(figure, references.get(figure.name))
            print(shown, flush=True)
        found.extend(figures)
    if given.record:
        machine.record(given.small, before, found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
