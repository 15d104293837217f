"""Limits of a hub, as one of its hosts keeps them."""
