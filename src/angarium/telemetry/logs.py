"""Log lines by the standard library's `logging`: one line a record, as JSON or for a terminal.

Fields come from `extra`: `log.info("batch done", extra={"worker": "router", "records": 500})`. They pass through
`redaction`, and so do messages and exceptions. Nothing is set up by importing this.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import PurePath
from traceback import extract_tb
from typing import Any, Literal, TextIO

from angarium.model import times
from angarium.telemetry.redaction import Redactor

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text"]

#: Innermost frames, and exceptions of one chain or group, that a line tells.
MOST_FRAMES = 8
MOST_CAUSES = 5

#: What every record has; other attributes came by `extra`.
_OWN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName"}
#: C0 and C1 controls, line separators and the characters that turn the direction of writing.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class JsonFormatter(logging.Formatter):
    """`{"at", "level", "logger", "message", ..., "errors"}`, in ASCII: any control character is escaped by JSON."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        return json.dumps(_fields(record, self._redactor))


class TextFormatter(logging.Formatter):
    """`12:00:00.000 INFO pipeline.router: batch done records=500`, for people. Times are UTC."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end; control characters are shown as escapes."""
        fields = _fields(record, self._redactor)
        at, level, logger, message = (str(fields.pop(name)) for name in ("at", "level", "logger", "message"))
        pairs = "".join(f" {name}={_shown(value)}" for name, value in fields.items())
        line = f"{at[11:23]} {level.upper()} {logger.removeprefix('angarium.')}: {message}{pairs}"
        return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


class Handler(logging.StreamHandler[TextIO]):
    """Writes lines. For a record that cannot be written a line says so, without its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Called by `emit`; the inherited one would write the arguments to the standard error stream."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(
                json.dumps({"level": "error", "logger": record.name, "message": "a record was unwritable"})
            )
            self.stream.write(self.terminator)


def configure(level: Level, format: Format, stream: TextIO, secret: bytes = b"") -> Handler:  # noqa: A002
    """Let the records of `angarium` from `level` on, and the warnings of everybody else, go to `stream`.

    With `secret` people are shown as `redaction.address_hash`, else masked. A handler of an earlier call is replaced.
    `release` undoes it.
    """
    redactor = Redactor(secret)
    handler = Handler(stream)
    handler.setFormatter(JsonFormatter(redactor) if format == "json" else TextFormatter(redactor))
    root = logging.getLogger()
    for earlier in [found for found in root.handlers if isinstance(found, Handler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    logging.getLogger("angarium").setLevel(level.upper())
    return handler


def release(handler: Handler) -> None:
    """Take back what `configure` did."""
    logging.getLogger().removeHandler(handler)
    logging.getLogger("angarium").setLevel(logging.NOTSET)


def _fields(record: logging.LogRecord, redactor: Redactor) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "at": times.text(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": redactor.text(record.getMessage()),
    }
    for name, value in _extra(record).items():
        fields.setdefault(redactor.text(name), redactor.field(name, value))
    if record.exc_info and record.exc_info[1] is not None:
        fields["errors"] = [_told(error, redactor) for error in islice(_chain(record.exc_info[1]), MOST_CAUSES)]
    return fields


def _extra(record: logging.LogRecord) -> Mapping[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, the members of a group, and what each came from."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _chain(member)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _chain(cause)


def _told(error: BaseException, redactor: Redactor) -> str:
    """`ValueError: what it said (worker.py:88 process < run.py:20 main)`, innermost frame first, without locals."""
    frames = extract_tb(error.__traceback__)[-MOST_FRAMES:]
    places = " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    said = redactor.text(f"{type(error).__name__}: {error}")
    return f"{said} ({places})" if places else said


def _shown(value: Any) -> str:
    """A string of one word as it is, everything else as JSON."""
    plain = isinstance(value, str) and value and not re.search(r'[\s"=]', value)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)
