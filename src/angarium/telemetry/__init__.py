"""What is seen from outside: metrics for Prometheus, and log lines that carry no secret, address or body."""
