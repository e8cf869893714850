"""Stand-ins for the delivery services: they speak the real wire formats, so that without credentials nothing leaves.

`service.Sandbox` is the whole of it and `service.serve` opens its port; `credentials.credentials` makes the keys that
accounts without their own are given; `journal.calls` reads back what was accepted; `demo` is the packaged project.
"""
