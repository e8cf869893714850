"""Alembic's folder: one file a schema change."""
