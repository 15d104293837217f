"""The hub in one SQLite file: the default store of one host process."""
