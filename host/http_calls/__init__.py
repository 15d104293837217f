"""Requests of `call_http`: sent from here, and from nowhere else in the host."""
