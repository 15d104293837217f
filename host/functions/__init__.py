"""Loads the author's functions, and calls them: from payloads, or from what triggered them."""
