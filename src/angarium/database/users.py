"""People: edited by the API, refreshed by what events carry inline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from angarium.database import rows, tables
from angarium.model.user import Device, Person

USER = tuple(column.name for column in tables.users.columns)
_devices = msgspec.json.Decoder(tuple[Device, ...])
_data = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode

UserKey = tuple[str, str]


def people(connection: Connection, keys: Iterable[UserKey]) -> dict[UserKey, Person]:
    """By (tenant, id); whoever is not stored is not in it."""
    found = rows.fetch(connection, tables.users, USER, ("tenant", "id"), keys)
    return {(row[0], row[1]): _person(row) for row in found}


def save(connection: Connection, people: Mapping[UserKey, Person], now: float) -> None:
    """Insert or overwrite. `now` is Unix seconds."""
    values = [_row(tenant, person, now) for (tenant, _), person in people.items()]
    rows.store(connection, tables.users, USER, values, USER[2:])


def merged(stored: Person | None, inline: Person | None, user: str) -> Person:
    """The person as both together describe them: what the event says wins, what it leaves out is kept."""
    base = stored or Person(id=user)
    if inline is None:
        return base
    said = {name: value for name in inline.__struct_fields__ if (value := getattr(inline, name))}
    data = {**base.data, **inline.data}
    return msgspec.structs.replace(base, **{**said, "id": user, "data": data})


def _person(row: Sequence[Any]) -> Person:
    fields = dict(zip(USER, row, strict=True))
    del fields["tenant"], fields["updated"]
    fields["devices"] = _devices.decode(fields["devices"]) if fields["devices"] else ()
    fields["data"] = _data.decode(fields["data"]) if fields["data"] else {}
    return Person(**fields)


def _row(tenant: str, p: Person, now: float) -> tuple[Any, ...]:
    devices = _encode(p.devices) if p.devices else None
    data = _encode(p.data) if p.data else None
    address = (p.email, p.phone, p.webhook, p.webhook_secret)
    return (tenant, p.id, p.name, *address, p.locale, p.timezone, devices, data, now)
