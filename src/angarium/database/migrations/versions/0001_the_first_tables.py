"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "cancels",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "scope", "id"),
    )
    op.create_index("cancels_by_id", "cancels", ["id"], unique=False)
    op.create_table(
        "dead",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("partition", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("at", sa.Float(precision=53), nullable=True),
        sa.Column("replayed", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("notification", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("user", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("slot", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("try", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("due", sa.Float(precision=53), nullable=True),
        sa.Column("expires", sa.Float(precision=53), nullable=True),
        sa.Column("created", sa.Float(precision=53), nullable=True),
        sa.Column("sent", sa.Float(precision=53), nullable=True),
        sa.Column("ended", sa.Float(precision=53), nullable=True),
        sa.Column("deadline", sa.Float(precision=53), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deliveries_by_notification", "deliveries", ["notification"], unique=False)
    op.create_index(
        "deliveries_open_question",
        "deliveries",
        ["status"],
        unique=False,
        sqlite_where=sa.text("status IN ('unknown', 'parked')"),
    )
    op.create_table(
        "early",
        sa.Column("notification", sa.String(), nullable=False),
        sa.Column("fact", sa.String(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("notification", "fact"),
    )
    op.create_table(
        "events",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("accepted", sa.Float(precision=53), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("run_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("partition", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source", "id"),
    )
    op.create_index("events_by_id", "events", ["id"], unique=False)
    op.create_table(
        "files",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "idempotency",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=True),
        sa.Column("events", sa.LargeBinary(), nullable=True),
        sa.Column("expires", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "key"),
    )
    op.create_table(
        "inbox",
        sa.Column("serial", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("user", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.Float(precision=53), nullable=True),
        sa.Column("seen", sa.Float(precision=53), nullable=True),
        sa.Column("read", sa.Float(precision=53), nullable=True),
        sa.Column("archived", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("serial"),
        sa.UniqueConstraint("delivery"),
    )
    op.create_index("inbox_by_user", "inbox", ["tenant", "user", "serial"], unique=False)
    op.create_table(
        "keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("expires", sa.Float(precision=53), nullable=True),
        sa.Column("revoked", sa.Float(precision=53), nullable=True),
        sa.Column("created", sa.Float(precision=53), nullable=True),
        sa.Column("used", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("user", sa.Text(), nullable=True),
        sa.Column("workflow", sa.Text(), nullable=True),
        sa.Column("release", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("plan", sa.LargeBinary(), nullable=True),
        sa.Column("event", sa.LargeBinary(), nullable=True),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("accepted", sa.Float(precision=53), nullable=True),
        sa.Column("step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("due", sa.Float(precision=53), nullable=True),
        sa.Column("started", sa.Float(precision=53), nullable=True),
        sa.Column("ended", sa.Float(precision=53), nullable=True),
        sa.Column("deadline", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("notifications_by_run", "notifications", ["run"], unique=False)
    op.create_index("notifications_by_user", "notifications", ["tenant", "user"], unique=False)
    op.create_index(
        "notifications_open", "notifications", ["deadline"], unique=False, sqlite_where=sa.text("status = 'running'")
    )
    op.create_table(
        "outbox",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.BigInteger(), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("topic", "partition", "first_offset"),
    )
    op.create_table(
        "park_claims",
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("try", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("lease", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("delivery", "try"),
    )
    op.create_table(
        "positions",
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("role", "topic", "partition"),
    )
    op.create_table(
        "preferences",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("allow", sa.Boolean(), nullable=False),
        sa.Column("updated", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "user", "category", "channel"),
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created", sa.Float(precision=53), nullable=True),
        sa.Column("manifest", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("workflow", sa.Text(), nullable=True),
        sa.Column("release", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("named_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("named_sum", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started", sa.Float(precision=53), nullable=True),
        sa.Column("ended", sa.Float(precision=53), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("runs_by_event", "runs", ["tenant", "source", "event_id"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "channel", "address"),
    )
    op.create_index("suppressions_by_address", "suppressions", ["address"], unique=False)
    op.create_table(
        "timeline",
        sa.Column("notification", sa.String(), nullable=False),
        sa.Column("fact", sa.String(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("at", sa.Float(precision=53), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("delivery", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("notification", "fact"),
    )
    op.create_table(
        "timers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=True),
        sa.Column("notification", sa.Text(), nullable=True),
        sa.Column("hop", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("due", sa.Float(precision=53), nullable=True),
        sa.Column("lease_until", sa.Float(precision=53), nullable=True),
        sa.Column("lease_token", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("timers_by_due", "timers", ["due"], unique=False)
    op.create_index(
        "timers_leased", "timers", ["lease_until"], unique=False, sqlite_where=sa.text("lease_until IS NOT NULL")
    )
    op.create_table(
        "users",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("webhook", sa.Text(), nullable=True),
        sa.Column("webhook_secret", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("devices", sa.LargeBinary(), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("updated", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("users")
    op.drop_index("timers_leased", table_name="timers", sqlite_where=sa.text("lease_until IS NOT NULL"))
    op.drop_index("timers_by_due", table_name="timers")
    op.drop_table("timers")
    op.drop_table("timeline")
    op.drop_index("suppressions_by_address", table_name="suppressions")
    op.drop_table("suppressions")
    op.drop_index("runs_by_event", table_name="runs")
    op.drop_table("runs")
    op.drop_table("releases")
    op.drop_table("preferences")
    op.drop_table("positions")
    op.drop_table("park_claims")
    op.drop_table("outbox")
    op.drop_index("notifications_open", table_name="notifications", sqlite_where=sa.text("status = 'running'"))
    op.drop_index("notifications_by_user", table_name="notifications")
    op.drop_index("notifications_by_run", table_name="notifications")
    op.drop_table("notifications")
    op.drop_table("keys")
    op.drop_index("inbox_by_user", table_name="inbox")
    op.drop_table("inbox")
    op.drop_table("idempotency")
    op.drop_table("files")
    op.drop_index("events_by_id", table_name="events")
    op.drop_table("events")
    op.drop_table("early")
    op.drop_index(
        "deliveries_open_question", table_name="deliveries", sqlite_where=sa.text("status IN ('unknown', 'parked')")
    )
    op.drop_index("deliveries_by_notification", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_table("dead")
    op.drop_index("cancels_by_id", table_name="cancels")
    op.drop_table("cancels")
