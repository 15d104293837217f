"""Worker processes: plain functions of the app run there, where they share no interpreter lock."""
