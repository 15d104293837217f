"""A hub on a rough AWS: the simulator's, with trouble on every way to it, and keys that expire."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from host.storage.aws.wire.client import Service
from host.storage.aws.wire.credentials import ChainCredentials
from host.storage.aws.wire.retries import RetryRules
from host.storage.aws.wire.signing import Credentials
from host.storage.aws.wire.transport import Transport
from tests.rough.trouble import Trouble, Troubles
from tests.rough.wire import RoughWire
from tests.simulation.aws_hub import AwsHub, Serve
from tests.simulation.clock import SkewedClock
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Caller
from tests.simulation.processes import Process
from tests.simulation.trace import Trace


class _FrozenKeys(NamedTuple):
    access_key: str
    secret_key: str = "secret"
    token: str | None = "token"


class _KeySource:
    """Keys as they are in a file, or with the metadata service: for a while those of before."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles

    def get_frozen_credentials(self) -> _FrozenKeys:
        """The keys that are there now."""
        return _FrozenKeys(f"key{self._troubles.ended(Trouble.EXPIRED_KEYS)}")


class RoughHub(AwsHub):
    """One table and two queues. Hosts are as patient as they are by default."""

    def __init__(self, *, loop: VirtualLoop, faults: Troubles, trace: Trace, **rest: Any) -> None:
        super().__init__(loop=loop, faults=faults, **rest)
        self._loop = loop
        self._troubles = faults
        self._trace = trace
        self.problems: list[str] = []

    def _rules(self) -> RetryRules:
        return RetryRules()

    def _credentials(self, clock: SkewedClock) -> Credentials:
        return ChainCredentials(lambda: _KeySource(self._troubles), clock)

    def _transport(self, caller: Caller, service: Service, serve: Serve) -> Transport:
        return RoughWire(
            service,
            super()._transport(caller, service, serve),
            loop=self._loop,
            troubles=self._troubles,
            trace=self._trace,
            is_valid=self._is_valid,
            sees_turn=partial(self._check_hold, caller.process, set()),
        )

    def _check_hold(self, process: Process, seen: set[str], instance_id: str, key: str) -> None:
        """Whose hold is over has no right to store a turn; but to end what was begun in time."""
        if key not in seen and not self.wakeups.is_held_by(process, instance_id):
            self.problems.append(f"holds: {process.name} held no hint of '{instance_id}': {key}")
        seen.add(key)

    def _is_valid(self, key: str) -> bool:
        """Keys are refused from the moment at which they expire, before others are there."""
        return int(key.removeprefix("key")) >= self._troubles.begun(Trouble.EXPIRED_KEYS)
