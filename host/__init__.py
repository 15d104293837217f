"""The host: loads functions, runs orchestrations, serves HTTP. `docs/architecture.md` is its map."""
