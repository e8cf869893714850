"""Errors as the caller reads them: `application/problem+json` (RFC 9457) with the place, the problem and the mend."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from litestar.exceptions import HTTPException
from msgspec import Struct

from angarium.api.strict import Malformed
from angarium.errors import AngariumError, Invalid, Refused, Unavailable
from angarium.pipeline.accept import Conflict

CONTENT_TYPE = "application/problem+json"
#: Seconds after which a request that met a store in trouble may come again.
RETRY_AFTER = 1

log = logging.getLogger(__name__)
_DETAILS = {404: "nothing is at this path", 405: "this path does not take this method", 413: "the body is too large"}
_ODD = {int(HTTPStatus.REQUEST_ENTITY_TOO_LARGE): "Content Too Large"}


class Flaw(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong. `pointer` is a JSON pointer into the body, or the name of a header or a query parameter."""

    pointer: str
    problem: str
    mend: str = ""
    line: int | None = None


class Problem(Struct, frozen=True, kw_only=True):
    """The body of every answer from 400 on. `detail` is one sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[Flaw, ...] = ()


class Answer(Struct, frozen=True):
    """A whole answer: header names are lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Declined(AngariumError):
    """A request that is turned down with `status`. `where` names a header or a parameter that is at fault."""

    def __init__(
        self, status: int, problem: str, mend: str = "", *, where: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.where, self.problem, self.mend = int(status), where, problem, mend
        self.headers = headers or {}
        super().__init__("; ".join(filter(None, (f"{where}: {problem}" if where else problem, mend))))


class OnLine(AngariumError):
    """What is wrong in line `line` (from 1 on) of a body of lines."""

    def __init__(self, error: Invalid, line: int) -> None:
        self.error, self.line = error, line
        super().__init__(f"line {line}: {error}")


def describe(error: Exception, request: str = "") -> Answer:
    """The answer to an error. One that nobody foresaw is logged with the id of the request, and told without detail."""
    match error:
        case OnLine():
            return _flawed(_status(error.error), str(error), error.error, error.line)
        case Invalid():
            return _flawed(_status(error), str(error), error)
        case Declined():
            return problem(error.status, str(error), _flaws(error), error.headers)
        case Conflict():
            return problem(HTTPStatus.CONFLICT, str(error))
        case Unavailable():
            detail = f"{error.store} does not answer now; send the same request again"
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"retry-after": str(RETRY_AFTER)})
        case Refused():
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the broker does not take such a record")
        case HTTPException(status_code=status) if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return problem(status, _DETAILS.get(status, "the request cannot be read"), headers=error.headers)
        case _:
            log.error("a request failed", exc_info=error, extra={"request": request})
            detail = "an unexpected error; the server's log has it under the X-Request-Id of this answer"
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def problem(
    status: int, detail: str, errors: tuple[Flaw, ...] = (), headers: Mapping[str, str] | None = None
) -> Answer:
    """A problem document of this status."""
    found = Problem(title=_phrase(status), status=int(status), detail=detail, errors=errors)
    return Answer(int(status), msgspec.json.encode(found), {"content-type": CONTENT_TYPE, **(headers or {})})


def _status(error: Invalid) -> int:
    return HTTPStatus.BAD_REQUEST if isinstance(error, Malformed) else HTTPStatus.UNPROCESSABLE_ENTITY


def _flawed(status: int, detail: str, error: Invalid, line: int | None = None) -> Answer:
    flaw = Flaw(pointer=error.where, problem=error.problem, mend=error.mend, line=line)
    return problem(status, detail, (flaw,))


def _flaws(error: Declined) -> tuple[Flaw, ...]:
    return (Flaw(pointer=error.where, problem=error.problem, mend=error.mend),) if error.where else ()


def _phrase(status: int) -> str:
    """The words of RFC 9110, which the standard library learnt late."""
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return "Unprocessable Content"
    return _ODD.get(int(status)) or HTTPStatus(status).phrase
