"""What the log says when code on replay gives other data than its history records.

The replay goes on with what is recorded, so nothing fails: an input that was corrected is fine. One
that comes from a clock or a random number is a mistake that would never be seen otherwise.
"""

from __future__ import annotations

from host.core.replay.determinism import CAUSES
from host.logs import HostLog

_MAX_TOLD = 100_000

_logger = HostLog("funchost.engine")


class OtherDataLog:
    """Says it once of each instance, however often that is loaded."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, instance_id: str, orchestrator: str, deed: str) -> None:
        """On replay `deed` had other data than are recorded."""
        if instance_id in self._told:
            return
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        self._told.add(instance_id)
        _logger.warning(
            "Orchestrator '%s' of '%s' gives other data now, on replay, to %s than its history "
            "records. What is recorded counts. %s",
            orchestrator,
            instance_id,
            deed,
            CAUSES,
            extra={"instance_id": instance_id, "function": orchestrator},
        )
