"""The seams: one file each, with its contract. `angarium.testing.contracts` holds the suites adapters must pass."""
