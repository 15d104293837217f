"""`python -m host` is the command `funchost`."""

from host.cli.entry import run

if __name__ == "__main__":  # a child process imports this module again, under another name
    run()
