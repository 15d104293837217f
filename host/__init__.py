"""The host: loads functions, runs orchestrations, serves HTTP. See `docs/architecture.md`."""
