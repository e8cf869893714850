"""The broker's adapters, one file each, found by the scheme of the URL: `connect(url, clock)` makes one.

The underscored files hold what the brokers that live inside one process share.
"""
