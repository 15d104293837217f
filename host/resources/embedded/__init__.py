"""Queues in the hub's own store, for the one process that has it."""
