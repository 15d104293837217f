"""Each module answers one question, a JSON line each; `python -m benchmarks` runs them all."""
