"""Waits for what triggers functions: one listener for each function, of its trigger's kind."""
