"""Frozen data, no behaviour beyond what one value knows of itself. No I/O, no clock, no randomness."""
