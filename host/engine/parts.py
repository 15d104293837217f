"""What the engine's pieces share: one record, made by `Engine`, so that none of them imports it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from host.clock import Clock
from host.core.converter import Converter
from host.core.executors import ActivityExecutor, OrchestratorExecutor
from host.core.functions import FunctionCatalog
from host.core.ids import is_entity
from host.core.records import Effects, Notice, NoticeKind
from host.core.replay.changing import ChangingExecutor
from host.engine.activities import ActivityPool
from host.engine.alarms import AlarmBell
from host.engine.cache import InstanceCache
from host.engine.claims import Claims
from host.engine.entities import Entities
from host.engine.hints import Hints
from host.engine.kinds import Kind
from host.engine.limits.limits import HubLimits
from host.engine.notices import NoticeSender
from host.engine.observer import Observers
from host.engine.options import EngineOptions
from host.engine.orchestrations import Orchestrations
from host.engine.parked import ParkedActivities
from host.engine.quarantine import Quarantine
from host.engine.repeated import RepeatedLines
from host.engine.store_watch import StoreWatch
from host.engine.waiters import Waiters
from host.engine.watchdog import LoopWatch
from host.storage.protocol import Alarm, HubQueues, HubStore


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """The pieces of one engine. `host_id` is unique to this start of the process."""

    host_id: str
    store: HubStore
    queues: HubQueues
    catalog: FunctionCatalog
    converter: Converter
    orchestrators: OrchestratorExecutor
    activities: ActivityExecutor
    changing: ChangingExecutor | None
    """Who runs the orchestrators, if that is an app that may change."""
    clock: Clock
    options: EngineOptions
    pool: ActivityPool
    cache: InstanceCache
    parked: ParkedActivities
    limits: HubLimits
    waiters: Waiters
    watch: LoopWatch
    orchestrations: Orchestrations
    entities: Entities
    observers: Observers
    lines: RepeatedLines
    store_watch: StoreWatch
    quarantine: Quarantine
    claims: Claims
    suspects: set[str]
    """Instances that the host before may have crashed of: their next session is a try."""
    hints: Hints
    alarms: AlarmBell
    wanted: frozenset[NoticeKind]
    """What is told of instances outside of the hub."""
    notices: NoticeSender | None
    """Who tells it; None if nothing is wanted."""

    def kind_of(self, instance_id: str) -> Kind[Any, Any]:
        """How this instance is led."""
        return self.entities if is_entity(instance_id) else self.orchestrations

    def send_notices(self, notices: Sequence[Notice]) -> None:
        """These are stored: let them be told."""
        if self.notices is not None:
            self.notices.offer(notices)

    def notice_alarm_of(self, effects: Effects) -> None:
        """These effects were applied: look out for the alarms that they set, if any."""
        instance_id, wake_at = effects.instance_id, effects.wake_at
        if isinstance(wake_at, datetime):
            self.alarms.notice(Alarm(instance_id=instance_id, due=wake_at))
        elif wake_at is None or (effects.row is not None and effects.row.is_finished):
            self.alarms.forget(instance_id)
        for start in effects.starts:
            due = start.instance.scheduled_start_at
            if due is not None:
                self.alarms.notice(Alarm(instance_id=start.instance.instance_id, due=due))

    def expect_alarm(self, instance_id: str, due: datetime | None) -> None:
        """A hint found nothing to do: it may have been rung by a clock that is ahead of this one.

        Then whoever rang is done with the alarm, so it is rung here when it is due here.
        """
        if due is not None and due > self.clock.now():
            self.alarms.notice(Alarm(instance_id=instance_id, due=due))
