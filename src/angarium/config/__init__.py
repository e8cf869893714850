"""Settings, where each value came from, the secret, and how the command line finds a running server."""
