"""The state's adapters, one file each, found by the scheme of the URL: `connect(url, clock)` makes one.

`_rules` holds what a claim and a rate mean, for the stores that decide in Python.
"""
