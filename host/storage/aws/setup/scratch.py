"""Hubs of scratch, which `funchost hub probe` makes and removes: their names."""

from __future__ import annotations

import secrets
from dataclasses import replace

from host.storage.aws.schema import HubLayout

_NAMES = "Probe"


def scratch_layout(layout: HubLayout) -> HubLayout:
    """A hub of a new name, otherwise like this one."""
    return _named(layout, f"{_NAMES}{secrets.token_hex(6)}")


def any_scratch_layout(layout: HubLayout) -> HubLayout:
    """All of them, for a policy."""
    return _named(layout, f"{_NAMES}*")


def _named(layout: HubLayout, hub: str) -> HubLayout:
    return replace(layout, hub=hub, table=None, wakeup_queues=1)
