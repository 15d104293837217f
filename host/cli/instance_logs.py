"""`funchost logs`: what happened to an instance, from its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click

from bindings.errors import InstanceNotFoundError
from bindings.remote.client import RemoteClient
from host.cli.asking import EXIT_CODES, asks_host
from host.cli.history_lines import told
from host.cli.instances.waiting import be_patient
from host.cli.showing import out

_LOOK_AGAIN = timedelta(seconds=1)


@click.command(epilog=EXIT_CODES)
@click.argument("instance_id")
@click.option("--follow", "-f", is_flag=True, help="Go on until it is finished.")
@asks_host
async def logs(client: RemoteClient, instance_id: str, follow: bool) -> None:
    """Say what happened to INSTANCE_ID, a line each, from its history.

    The times are those of the history, in UTC.
    """
    shown: Sequence[Any] = ()
    while True:
        is_last = not follow or await _is_finished(client, instance_id)
        events = await client.get_instance_history(instance_id)
        first = len(shown) if _goes_on(shown, events) else 0
        for line in told(events, first):
            out(line)
        if is_last:
            return
        shown = events
        be_patient(client)
        await _pause(client, instance_id)


async def _is_finished(client: RemoteClient, instance_id: str) -> bool:
    state = await client.get_instance(instance_id, fetch_payloads=False)
    if state is None:
        raise InstanceNotFoundError(instance_id)
    return state.runtime_status.is_finished


async def _pause(client: RemoteClient, instance_id: str) -> None:
    """Wait a moment; the end of the instance ends the wait."""
    try:
        await client.wait_for_instance_completion(instance_id, timeout=_LOOK_AGAIN)
    except TimeoutError:
        return


def _goes_on(shown: Sequence[Any], events: Sequence[Any]) -> bool:
    """Whether these events begin with those: an instance may begin anew."""
    return len(events) >= len(shown) and list(events[: len(shown)]) == list(shown)
