"""The pure core: history, replay, decision. No event loop, clock, file, socket or randomness."""
