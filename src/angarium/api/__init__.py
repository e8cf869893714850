"""HTTP: the ingest as plain ASGI, a file a resource on Litestar, and the admin listener. Ports are handed in."""
