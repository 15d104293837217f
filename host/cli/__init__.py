"""The command line: `funchost`, or `python -m host`."""
