"""Every table, as Alembic's first migration creates it. No foreign keys between owners: rows arrive in any order.

Times are Unix seconds; JSON is kept as the bytes that came.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.schema import SchemaItem

metadata = MetaData()


def _key(name: str, kind: type = String) -> Column[object]:
    return Column(name, kind, primary_key=True, nullable=False)


def _text(*names: str) -> list[Column[object]]:
    return [Column(name, Text) for name in names]


def _time(*names: str) -> list[Column[object]]:
    return [Column(name, Float(53)) for name in names]


def _number(*names: str) -> list[Column[object]]:
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in names]


def _bytes(*names: str) -> list[Column[object]]:
    return [Column(name, LargeBinary) for name in names]


def _table(name: str, *columns: SchemaItem | list[Column[object]]) -> Table:
    flat: list[SchemaItem] = []
    for column in columns:
        flat.extend(column if isinstance(column, list) else [column])
    return Table(name, metadata, *flat)


users = _table(
    "users",
    _key("tenant"),
    _key("id"),
    _text("name", "email", "phone", "webhook", "webhook_secret", "locale", "timezone"),
    _bytes("devices", "data"),
    _time("updated"),
)
preferences = _table(
    "preferences",
    _key("tenant"),
    _key("user"),
    _key("category"),
    _key("channel"),
    Column("allow", Boolean, nullable=False),
    _time("updated"),
)
suppressions = _table(
    "suppressions",
    _key("tenant"),
    _key("channel"),
    _key("address"),
    _text("reason", "source"),
    _time("at"),
    Index("suppressions_by_address", "address"),
)
events = _table(
    "events",
    _key("tenant"),
    _key("source"),
    _key("id"),
    _text("type"),
    _time("accepted"),
    _text("outcome"),
    _number("run_count"),
    _text("topic"),
    _number("partition", "offset"),
    Index("events_by_id", "id"),
)
runs = _table(
    "runs",
    _key("id"),
    _text("tenant", "workflow", "release", "category", "priority", "source", "event_id"),
    _number("named_count", "named_sum"),
    _time("started", "ended"),
    _text("reason"),
    Index("runs_by_event", "tenant", "source", "event_id"),
)
notifications = _table(
    "notifications",
    _key("id"),
    _text("tenant", "run", "user", "workflow", "release", "category", "priority", "locale"),
    _bytes("plan", "event", "person"),
    _time("accepted"),
    _number("step"),
    _text("status", "reason"),
    _time("due", "started", "ended", "deadline"),
    Index("notifications_by_run", "run"),
    Index("notifications_by_user", "tenant", "user"),
)
Index("notifications_open", notifications.c.deadline, sqlite_where=notifications.c.status == "running")
deliveries = _table(
    "deliveries",
    _key("id"),
    _text("tenant", "notification", "run", "user", "step", "slot", "channel"),
    _bytes("address"),
    _text("account", "status"),
    _number("try", "token"),
    _text("reason", "reference"),
    _time("due", "expires", "created", "sent", "ended", "deadline"),
    _number("version"),
    Index("deliveries_by_notification", "notification"),
)
Index("deliveries_open_question", deliveries.c.status, sqlite_where=deliveries.c.status.in_(["unknown", "parked"]))
timeline = _table(
    "timeline",
    _key("notification"),
    _key("fact"),
    _text("tenant"),
    _time("at"),
    _text("kind", "delivery", "reason", "detail"),
)
timers = _table(
    "timers",
    _key("id"),
    _text("tenant", "notification", "hop", "priority"),
    _time("due", "lease_until"),
    _number("lease_token"),
    Index("timers_by_due", "due"),
)
Index("timers_leased", timers.c.lease_until, sqlite_where=timers.c.lease_until.is_not(None))
cancels = _table(
    "cancels",
    _key("tenant"),
    _key("scope"),
    _key("id"),
    _text("reason", "by"),
    _time("at"),
    Index("cancels_by_id", "id"),
)
inbox = _table(
    "inbox",
    Column("serial", Integer, primary_key=True, autoincrement=True),
    Column("delivery", String, nullable=False, unique=True),
    _text("tenant", "user", "title", "body", "url"),
    _bytes("data"),
    _time("created", "seen", "read", "archived"),
    Index("inbox_by_user", "tenant", "user", "serial"),
)
keys = _table(
    "keys",
    _key("id"),
    _text("tenant", "name"),
    _bytes("hash"),
    _text("scopes"),
    _time("expires", "revoked", "created", "used"),
)
idempotency = _table("idempotency", _key("tenant"), _key("key"), _bytes("body_hash", "events"), _time("expires"))
dead = _table(
    "dead",
    _key("id"),
    _text("tenant", "topic"),
    _number("partition", "offset"),
    _text("key"),
    _bytes("value"),
    _text("reason", "detail"),
    _time("at", "replayed"),
)
releases = _table("releases", _key("id"), _time("created"), _bytes("manifest"))
files = _table("files", _key("hash"), _bytes("bytes"))
positions = _table("positions", _key("role"), _key("topic"), _key("partition", BigInteger), _number("offset"))
outbox = _table(
    "outbox",
    _key("topic"),
    _key("partition", BigInteger),
    _key("first_offset", BigInteger),
    _bytes("bytes"),
    _time("created"),
)
early = _table("early", _key("notification"), _key("fact"), _bytes("bytes"), _time("at"))
park_claims = _table(
    "park_claims", _key("delivery"), _key("try", BigInteger), _number("token"), _text("account"), _time("lease")
)
