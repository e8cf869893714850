"""What every route does alike: who calls, with what, which page, and a body that is taken strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from msgspec import Struct

from angarium.api import strict
from angarium.api.auth import Authenticator, Caller
from angarium.api.problems import Declined
from angarium.api.services import Services
from angarium.api.wire import Scope
from angarium.database import resources
from angarium.database.resources import Kind, Row
from angarium.errors import Invalid, nearest
from angarium.model import times

Call = Request[Any, Any, State]
T = TypeVar("T")

#: The options of a route. One without any is not served at all.
READ, OPERATE, SIGNED = {"needs": "read"}, {"needs": "operate"}, {"needs": "a signature"}
DOCUMENT = "/openapi.json"

Limit = Annotated[int, QueryParameter(ge=1, le=500, description="The most items of the page.")]
After = Annotated[str | None, QueryParameter(max_length=256, description="`next` of the page before.")]


class Page(Struct, Generic[T], frozen=True):
    """Items, newest first; `next` goes into `?after=` and is null on the last page."""

    items: list[T]
    next: str | None = None


def services(call: Call) -> Services:
    """What the composition root made."""
    found: Services = call.app.state["services"]
    return found


def authenticator(call: ASGIConnection[Any, Any, Any, Any]) -> Authenticator:
    """The one of this application."""
    found: Authenticator = call.app.state["authenticator"]
    return found


def caller(call: Call) -> Caller:
    """Whom the guard let in."""
    found: Caller = call.state["caller"]
    return found


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Every route says what it needs. Litestar's own have no such word: of them only the API document is served."""
    needs = handler.opt.get("needs")
    if needs == SIGNED["needs"]:
        return
    scope = cast("Scope", connection.scope)
    if needs is None:
        if scope["path"] == DOCUMENT and scope["method"] == "GET":
            return
        raise MethodNotAllowedException if scope["method"] == "OPTIONS" else NotFoundException
    found = await authenticator(connection).caller(scope, connection.headers.get("authorization"))
    found.require(needs)
    known = handler.parsed_fn_signature.parameters.keys() - {"request"} - connection.path_params.keys()
    for name in connection.query_params:
        if name not in known:
            raise Invalid(f"?{strict.pointer('', name)[1:]}", "is not known here", nearest(name, known))
    connection.state["caller"] = found


async def body(call: Call, kind: type[T]) -> T:
    """The JSON body as this struct. Raises `Malformed`, or `Invalid` that names the member."""
    raw = await call.body()
    strict.value(raw)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise strict.misfit(error, kind) from None


async def rows(
    call: Call, kind: Kind, filters: Mapping[str, str | None], limit: int, after: str | None
) -> tuple[Sequence[Row], str | None]:
    """A page of the caller's tenant, and the id to go on after. Filters that are None do not filter."""
    wanted = {name: str(value) for name, value in filters.items() if value is not None}
    database, tenant = services(call).database, caller(call).tenant
    found = await database.read(resources.page, kind, tenant, wanted, after, limit + 1)
    return found[:limit], found[limit - 1]["id"] if len(found) > limit else None


async def row(call: Call, kind: Kind, what: str, name: str) -> Row:
    """One row of the caller's tenant. Raises `Declined` (404)."""
    found = await services(call).database.read(resources.one, kind, caller(call).tenant, name)
    if found is None:
        raise unknown(what)
    return found


def unknown(what: str, mend: str = "look for its id in the list") -> Declined:
    """There is no such thing, or it is another tenant's, which must look the same."""
    return Declined(HTTPStatus.NOT_FOUND, f"there is no such {what}", mend)


def moment(seconds: float | None) -> str | None:
    """RFC 3339, or null for what has not happened."""
    return None if seconds is None else times.text(seconds)
