"""The command, and the app of the terminal that it runs."""

from __future__ import annotations

import sys
from typing import ClassVar

import click
from textual.app import App

from bindings.remote.client import RemoteClient
from host.cli.asking import EXIT_CODES, EXIT_NOT_ASKED, asks_host, fail
from host.cli.showing import is_terminal
from host.cli.top.contact import Contact
from host.cli.top.reading import Filter, read_hub
from host.cli.top.screens import HubScreen


class TopApp(App[None]):
    """The hub that `client` asks, until somebody leaves."""

    TITLE = "funchost"
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    CSS = """
    #counts { height: auto; padding: 0 0 1 0; }
    #instances { height: 1fr; }
    Question, Line { align: center middle; }
    #matter { height: auto; padding: 0 1; display: none; }
    .dialog { width: 72; max-width: 100%; height: auto; padding: 1 2; }
    .dialog { border: round $primary; background: $surface; }
    .dialog Label { width: 100%; }
    .hint { color: $text-muted; padding-top: 1; }
    """

    def __init__(self, client: RemoteClient) -> None:
        super().__init__()
        self._client = client

    def on_mount(self) -> None:
        """Show the hub."""
        self.push_screen(HubScreen(self._client, Contact()))


@click.command(
    epilog=f"""\b
Keys:
  arrows, Enter   choose an instance, open it      Escape, q  back, leave
  f               only those of one status         /          find a text
  p               pause                            e          send an event
  t s r w d x     terminate, suspend, resume, rewind, redrive, purge

{EXIT_CODES}"""
)
@asks_host
async def top(client: RemoteClient) -> None:
    """Watch a hub live: its counts, its instances, what one of them does and why it waits."""
    if not (is_terminal(sys.stdout) and is_terminal(sys.stdin)):
        fail("This needs a terminal. For programs: `funchost instances list`.", EXIT_NOT_ASKED)
    await read_hub(client, Filter())  # a host that cannot be asked is a plain error
    await TopApp(client).run_async()
