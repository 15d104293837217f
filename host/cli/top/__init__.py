"""`funchost top`: a hub at a glance, live in the terminal."""
