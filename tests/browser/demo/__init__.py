"""The demo app: a folder that `funchost start` runs, and that tests import."""
