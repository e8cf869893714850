"""What the server answers, and the errors that its refusals become. Pure: bytes in, values out."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from angarium.errors import AngariumError, Invalid, Unavailable
from angarium.ports.transport import Response

T = TypeVar("T")
SERVER = "the server"
#: Refusals of the request's content, which name the place, the problem and the mend.
CONTENT = (400, 413, 415, 422)
#: The server, or a proxy before it, cannot do it now.
NOT_NOW = (502, 503, 504)
#: Said behind the server's own words, which cannot know how the key got here.
MENDS = {401: "set ANGARIUM_KEY to a key of this server"}


class Stored(Struct, frozen=True):
    """One event that is on disk. `run_url` leads to what becomes of it."""

    id: str
    source: str
    run_url: str = ""


class Published(Struct, frozen=True):
    """The stored events, in the order in which they were given."""

    events: tuple[Stored, ...] = ()


class Page(Struct, frozen=True):
    """One page of a list. `next` is the `after` of the following one, None at the end."""

    items: tuple[dict[str, Any], ...] = ()
    next: str | None = None


class Fault(Struct, frozen=True):
    """One mistake in a request; `pointer` is a JSON pointer into it, or into its line `line` (from 1 on)."""

    pointer: str = ""
    problem: str = ""
    mend: str = ""
    line: int | None = None


class BadLine(Invalid):
    """One of several lines cannot be used. `line` counts from 1, `where` is a pointer into it."""

    def __init__(self, line: int, where: str, problem: str, mend: str = "") -> None:
        super().__init__(f"line {line}" + (f": {where}" if where else ""), problem, mend)
        self.line, self.where = line, where


class Problem(AngariumError):
    """The server refused (RFC 9457). `errors` are the mistakes that it named."""

    def __init__(self, status: int, title: str, errors: tuple[Fault, ...] = (), detail: str = "") -> None:
        self.status, self.title, self.errors, self.detail = status, title, errors, detail
        said = "; ".join(part for part in (detail, MENDS.get(status)) if part)
        super().__init__(f"{SERVER} answered {status} {title}".rstrip() + (f": {said}" if said else ""))


class Busy(Unavailable):
    """The server asks to come again `after` so many seconds."""

    def __init__(self, detail: str, after: float) -> None:
        self.after = after
        super().__init__(SERVER, detail)


class _Document(Struct, frozen=True):
    """`application/problem+json`, as far as it is read."""

    title: str = ""
    detail: str | None = None
    errors: tuple[Fault, ...] = ()


def read(response: Response, kind: type[T]) -> T:
    """The answer as a `kind`. Raises `Invalid`, `Busy` or `Problem` for a refusal, `Unavailable` for garbage."""
    if not 200 <= response.status < 300:
        raise refusal(response)
    try:
        return msgspec.json.decode(response.body or b"null", type=kind)
    except msgspec.MsgspecError:
        raise Unavailable(SERVER, "its answer cannot be read: is this Angarium, and of this version?") from None


def refusal(response: Response) -> AngariumError:
    """The error for an answer that is none of 2xx."""
    try:
        told = msgspec.json.decode(response.body, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = _Document()
    if response.status in NOT_NOW:
        return Busy(told.detail or told.title or "it answers that it cannot now", _seconds(response))
    if response.status in CONTENT and told.errors:
        first, more = told.errors[0], len(told.errors) - 1
        problem = first.problem + (f" (and {more} more mistakes)" if more else "")
        if first.line is not None:
            return BadLine(first.line, first.pointer, problem, first.mend)
        return Invalid(first.pointer, problem, first.mend)
    return Problem(response.status, told.title, told.errors, told.detail or "")


def _seconds(response: Response) -> float:
    """`Retry-After` as our server writes it: a whole number of seconds; 1 where there is none."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 6 else 1.0
