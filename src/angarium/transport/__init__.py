"""Calls to the outside: our HTTP/1.1 client, the address guard, and what an answer means for a delivery."""
