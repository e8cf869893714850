"""What Angarium costs, measured: `python -m benchmarks`. One file a question; see docs/benchmarks.md."""
