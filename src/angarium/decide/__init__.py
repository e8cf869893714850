"""Pure decisions: data in, data out. Time and dice are arguments; nothing here reads, writes or logs."""
