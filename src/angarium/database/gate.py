"""What may stop a delivery: preferences, suppressions, cancels, and the ledger itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.decide import lifecycle
from angarium.decide.gate import ANY, Permissions, place, refusal
from angarium.model.category import Category
from angarium.model.delivery import Handover
from angarium.model.reasons import Reason, Status
from angarium.model.timeline import Suppression

SUPPRESSION = ("tenant", "channel", "address", "reason", "source", "at")


class Look(Struct, frozen=True):
    """What the last look found against a call. `status` None: the ledger is further, there is nothing to report."""

    status: Status | None
    reason: Reason


def permissions(
    connection: Connection, keys: Iterable[tuple[str, str]], addresses: Iterable[str]
) -> dict[str, Permissions]:
    """By tenant: the preferences of (tenant, user) and of whole tenants, and which of `addresses` are suppressed."""
    wanted = set(keys)
    columns = ("tenant", "user", "category", "channel", "allow")
    users = wanted | {(tenant, ANY) for tenant, _ in wanted}
    preferences: dict[str, dict[tuple[str, str, str], bool]] = {}
    for tenant, user, category, channel, allow in rows.fetch(
        connection, tables.preferences, columns, ("tenant", "user"), users
    ):
        preferences.setdefault(tenant, {})[user, category, channel] = bool(allow)
    suppressed: dict[str, set[tuple[str, str]]] = {}
    asked = {spelling for value in addresses for spelling in (value, place("email", value)[1])}
    for row in rows.fetch(connection, tables.suppressions, ("tenant", "channel", "address"), "address", asked):
        suppressed.setdefault(row[0], set()).add((row[1], row[2]))
    tenants = {tenant for tenant, _ in wanted}
    return {t: Permissions(preferences.get(t, {}), frozenset(suppressed.get(t, ()))) for t in tenants}


def cancelled(connection: Connection, ids: Iterable[str]) -> dict[str, Reason]:
    """Which of these notifications and runs were cancelled, and why."""
    found = rows.fetch(connection, tables.cancels, ("id", "reason"), "id", ids)
    return {row[0]: Reason(row[1]) for row in found}


def suppress(connection: Connection, entries: Sequence[Suppression]) -> None:
    """Never send there again; the first report is kept."""
    values = [(e.tenant, *place(e.channel, e.address), e.reason.value, e.source, e.at) for e in entries]
    rows.store(connection, tables.suppressions, SUPPRESSION, values)


def last_look(
    connection: Connection, handovers: Sequence[Handover], categories: Mapping[str, Category], now: float
) -> dict[str, Look]:
    """By delivery id, those that must not be called, in one trip; `categories` are by delivery id too."""
    ledger = {
        row[0]: (Status(row[1]), row[2], Reason(row[3]) if row[3] else None)
        for row in rows.fetch(
            connection, tables.deliveries, ("id", "status", "try", "reason"), "id", [h.delivery for h in handovers]
        )
    }
    cancels = cancelled(connection, {name for h in handovers for name in (h.notification, h.run)})
    allowed = permissions(connection, {(h.tenant, h.user) for h in handovers}, {h.to.value for h in handovers})
    looks = ((h.delivery, _look(h, ledger.get(h.delivery), cancels, categories, allowed, now)) for h in handovers)
    return {delivery: look for delivery, look in looks if look is not None}


def _look(
    handover: Handover,
    row: tuple[Status, int, Reason | None] | None,
    cancels: Mapping[str, Reason],
    categories: Mapping[str, Category],
    allowed: Mapping[str, Permissions],
    now: float,
) -> Look | None:
    if row is not None and (lifecycle.standing(*row)[0] > 0 or row[1] > handover.try_):
        return Look(None, Reason.superseded)
    if handover.run in cancels or handover.notification in cancels:
        return Look(Status.cancelled, Reason.cancelled)
    if now >= handover.expires:
        return Look(Status.expired, Reason.expired)
    refused = refusal(categories[handover.delivery], handover.to, handover.user, allowed[handover.tenant])
    return Look(Status.skipped, refused) if refused else None
