"""The kind `aws`: a hub is a table of DynamoDB and queues of SQS, for any number of hosts."""

from __future__ import annotations

from host.clock import Clock
from host.storage.aws.opening import opened_hub
from host.storage.aws.setup.settings import read_aws_settings
from host.storage.kinds import EngineDefaults, Home, OpenStore, Provider, StoreKind, StorePlace
from host.storage.protocol import HubStore

_MAX_BACKLOG_S = 1.0
"""Activities that would wait longer than this for their turn are handed out to all hosts."""
LET_GO_AFTER_S = 6 * 3600.0
"""Half of what SQS allows: whatever a session is at, it comes to an end of it long before that."""
MAX_GATHER_S = 0.5
"""In a burst of hints to one instance each host sends about one in so long."""


def _opened(place: StorePlace, clock: Clock) -> OpenStore:
    return opened_hub(place.provider, place.hub, clock)


def _engine_defaults(provider: Provider) -> EngineDefaults:
    """Wake-ups are held longer well before their time is over; lost ones are looked for."""
    aws = read_aws_settings(provider)
    return EngineDefaults(
        hold_s=aws.visibility_timeout_seconds / 2,
        max_hold_s=LET_GO_AFTER_S,
        sweep_s=float(aws.sweep_interval_seconds),
        full_sweep_s=float(aws.full_sweep_interval_seconds),
        max_gather_s=MAX_GATHER_S,
        max_backlog_s=_MAX_BACKLOG_S,
    )


def _home(_: HubStore, provider: Provider) -> Home:
    return Home(aws=read_aws_settings(provider).options())


AWS = StoreKind(name="aws", opened=_opened, engine_defaults=_engine_defaults, home=_home)
