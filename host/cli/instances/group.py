"""`funchost instances`: its commands, each in the file of what it is about."""

from __future__ import annotations

import click

from host.cli.instances.deleting import purge
from host.cli.instances.looking import count, get, history, list_instances, wait, why
from host.cli.instances.starting import restart, start
from host.cli.instances.steering import (
    raise_event,
    redrive,
    resume,
    rewind,
    set_status,
    suspend,
    terminate,
)
from host.cli.instances.transfers import export, fork, import_instances


@click.group()
def instances() -> None:
    """Start instances, look at them, steer and delete them, by a running host of their hub.

    The host is the one at --url or FUNCHOST_URL, else the one that runs on this machine for the app
    in the current folder, else one at the port that its local.settings.json names, or at 7071.
    Tables are for people; with --json programs get what the HTTP API says: a document, or a line
    each where there are many.
    """


for _command in (
    start,
    get,
    list_instances,
    count,
    history,
    why,
    wait,
    raise_event,
    terminate,
    suspend,
    resume,
    rewind,
    set_status,
    restart,
    redrive,
    fork,
    export,
    import_instances,
    purge,
):
    instances.add_command(_command)
