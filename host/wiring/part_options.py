"""What the settings say of the parts of a host: how much, how long, how often."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bindings.client import RuntimeStatus
from bindings.kinds.blobs import BlobRules
from host.core.converter import Converter
from host.core.limits import Limit, Rate
from host.core.records import UNCHANGED
from host.core.versions import Versioning
from host.engine.jobs import LOOK_S
from host.engine.options import EngineOptions
from host.settings import HostSettings
from host.settings.durable_task import DurableTaskSettings, OverridableStates
from host.settings.funchost import NO_WATCHDOG
from host.settings.versions import VersionMatch
from host.storage.kinds import StoreKind
from host.wiring.options import HostOptions

BLOBS_FOR_EACH_PROCESSOR = 8

_ENDS = {
    "completed": (RuntimeStatus.COMPLETED,),
    "failed": (RuntimeStatus.FAILED,),
    "terminated": (RuntimeStatus.TERMINATED, RuntimeStatus.CANCELED),
}
"""How an instance has ended that is kept for the time of this name in host.json's `retention`."""


def engine_options(kind: StoreKind, options: HostOptions, settings: HostSettings) -> EngineOptions:
    """What the settings say of the engine, and what suits one on such a store."""
    durable = settings.extensions.durable_task
    defaults, by_kind = EngineOptions(), kind.engine_defaults(durable.storage_provider)
    watchdog = NO_WATCHDOG if options.is_debugging else settings.funchost.watchdog
    return replace(
        defaults,
        max_concurrent_activities=durable.max_concurrent_activity_functions
        or defaults.max_concurrent_activities,
        max_concurrent_orchestrators=durable.max_concurrent_orchestrator_functions
        or defaults.max_concurrent_orchestrators,
        hold_s=by_kind.hold_s or defaults.hold_s,
        max_hold_s=by_kind.max_hold_s or defaults.max_hold_s,
        sweep_s=by_kind.sweep_s or defaults.sweep_s,
        full_sweep_s=by_kind.full_sweep_s or defaults.full_sweep_s,
        max_gather_s=by_kind.max_gather_s or defaults.max_gather_s,
        max_backlog_s=by_kind.max_backlog_s or defaults.max_backlog_s,
        max_actions=durable.max_orchestration_actions,
        max_waits=settings.funchost.http.max_waits,
        max_inbox_bytes=durable.max_inbox_bytes,
        max_page_bytes=settings.funchost.http.max_page_bytes,
        stuck_turn_s=watchdog.report_after_seconds,
        break_off_turn_s=watchdog.break_off_after_seconds,
        end_host_s=watchdog.end_host_after_seconds,
        quarantine_pause_s=durable.quarantine_pause_seconds or None,
        versioning=versioning_of(durable),
        limits=named_limits_of(durable),
        replaces_active=durable.overridable_existing_instance_states is OverridableStates.ANY,
    )


def serving_options(kind: StoreKind, options: HostOptions, settings: HostSettings) -> EngineOptions:
    """The same for a host that serves: it does something for its hub, which a test's does not."""
    given = settings.extensions.durable_task.retention.given
    kept = {status: given[name] for name in given for status in _ENDS.get(name, ())}
    limits = engine_options(kind, options, settings)
    return replace(
        limits,
        look_for_jobs_s=LOOK_S,
        retention=kept,
        retention_of_entities=given.get("entities", UNCHANGED),
    )


def converter_of(settings: HostSettings) -> Converter:
    """What makes payloads of values, and values of payloads."""
    return Converter(settings.extensions.durable_task.max_payload_bytes)


def timeout_of(options: HostOptions, settings: HostSettings) -> timedelta | None:
    """How long a function may run; None for any time."""
    return None if options.is_debugging else settings.function_timeout


def blob_rules_of(settings: HostSettings) -> BlobRules:
    """What the settings say of blobs."""
    blobs = settings.extensions.blobs
    return BlobRules(
        max_value_bytes=blobs.max_value_bytes,
        max_blob_bytes=blobs.max_blob_bytes,
        max_parallel=blobs.max_degree_of_parallelism
        or BLOBS_FOR_EACH_PROCESSOR * (os.cpu_count() or 1),
        max_tries=blobs.poison_blob_threshold,
    )


def named_limits_of(durable: DurableTaskSettings) -> Mapping[str, Limit]:
    """What host.json says of limits, for the engine."""
    return {
        name: Limit(
            concurrency=each.concurrency,
            rate=None
            if each.rate is None
            else Rate(each.rate.count, each.rate.per.total_seconds()),
            per_key=each.per_key,
        )
        for name, each in durable.limits.items()
    }


def versioning_of(durable: DurableTaskSettings) -> Versioning:
    """Instances of which versions a host takes."""
    default, match = durable.default_version, durable.version_match_strategy
    usual = VersionMatch.NONE if default is None else VersionMatch.CURRENT_OR_OLDER
    failure = durable.version_failure_strategy
    return Versioning(default=default, match=match or usual, failure=failure)
