"""Runs a warm-up function when its host starts: the host is not ready until it has ended."""

from __future__ import annotations

from bindings.kinds.records import TriggeredFunction
from host.core.failures import caught
from host.logs import HostLog

_log = HostLog(__name__)


class WarmupListener:
    """The `TriggerListener` of `warmupTrigger`."""

    def __init__(self, function: TriggeredFunction) -> None:
        self._function = function

    async def start(self) -> None:
        """Run it. As long as this goes on, the host has a problem: so it is not ready."""
        try:
            await self._function.invoke(None)
        except Exception as error:  # noqa: BLE001 - an author's: a cold host is better than none
            failed = caught(error)
            _log.error(
                "The warm-up function '%s' failed: %s",
                self._function.name,
                failed,
                exc_info=failed.exc_info,
            )

    async def stop(self) -> None:
        """There is nothing that goes on."""

    def problems(self) -> list[str]:
        """It has run."""
        return []
