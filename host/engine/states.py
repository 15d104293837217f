"""Stored rows as the states that clients see: payloads become values."""

from __future__ import annotations

from typing import Any

import pydantic_core

from bindings.client import OrchestrationState
from host.core.history import Payload
from host.core.records import Instance


def state_of(row: Instance, *, fetch_payloads: bool = True) -> OrchestrationState:
    """The state of an instance, without input, output and custom status unless they are asked."""
    return OrchestrationState(
        instance_id=row.instance_id,
        name=row.name,
        runtime_status=row.status,
        created_at=row.created_at,
        last_updated_at=row.updated_at,
        input=_value(row.input) if fetch_payloads else None,
        output=_value(row.output) if fetch_payloads else None,
        custom_status=_value(row.custom_status) if fetch_payloads else None,
        failure_details=row.failure,
        version=row.version,
        tags=row.tags,
        parent_instance_id=row.parent.instance_id if row.parent else None,
        scheduled_start_at=row.scheduled_start_at,
        blocked_reason=row.blocked_reason,
        is_quarantined=row.is_quarantined,
    )


def _value(payload: Payload) -> Any:
    if payload is None:
        return None
    try:
        return pydantic_core.from_json(payload)
    except ValueError:  # nested deeper than the parser goes: show the text
        return payload
