"""Each module answers one question and prints one JSON line; `python -m benchmarks` runs them all."""
