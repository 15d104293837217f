"""The client of a test: its waits take no time, because the clock is moved to what comes next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bindings.client import DurableClient, OrchestrationState, RuntimeStatus
from bindings.errors import InstanceNotFoundError
from host.core import arguments
from host.core.shown_names import shown_as
from host.engine.client import HubClient, Links
from host.engine.engine import Engine
from host.testing.skipping import Skipper

MAX_TIMERS = 5_000
"""How many timers may fire during one wait: who waits for ever is to be told so."""


@shown_as(DurableClient)
class SkippingClient(HubClient):
    """As that of a host, but for its waits."""

    def __init__(self, engine: Engine, links: Links, skipper: Skipper) -> None:
        super().__init__(engine, links)
        self._skipper = skipper

    async def wait_for_instance_start(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        """Wait until the instance is no longer Pending, moving the clock as far as that needs."""
        return await self._until(instance_id, _has_started, timeout)

    async def wait_for_instance_completion(
        self, instance_id: str, *, timeout: timedelta | None = None
    ) -> OrchestrationState:
        """Wait until the instance is finished, moving the clock as far as that needs.

        Raises `TimeoutError`, at once if nothing that is planned can make it go on.
        """
        return await self._until(instance_id, _is_finished, timeout)

    async def _until(
        self,
        instance_id: str,
        is_there: Callable[[OrchestrationState], bool],
        timeout: timedelta | None,
    ) -> OrchestrationState:
        skipper = self._skipper
        latest = skipper.after(arguments.seconds(timeout, "A timeout"))
        await skipper.idle()
        for _ in range(MAX_TIMERS):
            state = await self.get_instance(instance_id)
            if state is None:
                raise InstanceNotFoundError(instance_id)
            if is_there(state):
                return state
            if not await skipper.skip_to_next(latest):
                raise TimeoutError(_why(state, timeout))
        raise TimeoutError(
            f"'{instance_id}' did not get there while {MAX_TIMERS:,} timers fired, and the test's "
            f"clock is at {skipper.now}: does something wait for one timer after the other, for "
            "ever? Give `timeout=`, or use skip()."
        )


def _has_started(state: OrchestrationState) -> bool:
    return state.runtime_status is not RuntimeStatus.PENDING


def _is_finished(state: OrchestrationState) -> bool:
    return state.runtime_status.is_finished


def _why(state: OrchestrationState, timeout: timedelta | None) -> str:
    text = f"'{state.instance_id}' is {state.runtime_status}"
    if timeout is not None:
        return f"{text} after {timeout} on the test's clock."
    reason = f" ({state.blocked_reason})" if state.blocked_reason else ""
    return (
        f"{text}{reason}, and no timer will make it go on: it waits for what the test has to "
        "bring, an event, say, or a resume."
    )
