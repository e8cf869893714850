"""What people edit, the ledger, timers and the inbox. Queries are functions `(connection, rows)`, a file a subject."""

from __future__ import annotations

from sqlalchemy import Connection

__all__ = ["Connection"]
