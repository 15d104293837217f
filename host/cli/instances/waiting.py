"""Waiting for instances, over restarts of the host."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from bindings.client import OrchestrationState
from bindings.remote.client import RemoteClient
from host.cli.asking import RefusedError

_RETRIES = 12
"""Over 16 seconds: a host that is started again is there by then."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


def be_patient(client: RemoteClient) -> None:
    """From now on outlive a restart of the host: it was there when the command began."""
    client.connection.retries = _RETRIES


def patient_pauses() -> Iterator[float]:
    """How long to wait, again and again, for a host that was there: as `be_patient` does."""
    for attempt in range(_RETRIES):
        yield min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)


async def wait_for_end(
    client: RemoteClient, instance_id: str, timeout: timedelta | None, *, start: bool = False
) -> OrchestrationState:
    """The instance as it ended, or began. Raises `RefusedError` if that takes too long."""
    state = await client.get_instance(instance_id)
    if state is not None and state.runtime_status.is_finished:
        return state
    be_patient(client)
    method = client.wait_for_instance_start if start else client.wait_for_instance_completion
    try:
        return await method(instance_id, timeout=timeout)
    except TimeoutError as error:
        what = "begun" if start else "finished"
        raise RefusedError(f"'{instance_id}' has not {what} in time.") from error
