"""What Alembic runs: it is handed an open connection and reads nothing from files."""

from alembic import context

from angarium.database.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
