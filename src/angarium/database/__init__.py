"""What people edit, the ledger, timers and the inbox. Queries are functions `(connection, rows)`, a file a subject."""
