"""`python -m host` is the command `funchost`."""

from host.cli.main import main

main(prog_name="funchost")
