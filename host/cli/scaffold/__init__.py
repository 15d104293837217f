"""`funchost init` and `funchost new`: files for authors to begin with."""
