"""The proof that nothing was lost."""

from __future__ import annotations

from http import HTTPStatus

from litestar import get

from angarium.api.calls import OPERATE, Call, caller, services
from angarium.api.problems import Declined
from angarium.pipeline.audit import Audit

#: Whose keys may count the records of every tenant.
OWNER = "default"


@get("/v1/audit", opt=OPERATE, operation_id="Audit", summary="Count ids: what was accepted, what became of it")
async def get_audit(request: Call) -> Audit:
    """Reads every event that is kept, so it takes a while. Counts all tenants, hence only for keys of `default`."""
    if caller(request).tenant != OWNER:
        mend = f"use a key of the tenant {OWNER}"
        raise Declined(HTTPStatus.FORBIDDEN, "the audit counts the records of every tenant", mend)
    return await services(request).audit()
