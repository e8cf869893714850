"""Angarium: events in, notifications on people's devices out, none lost."""
