"""A start by request, and what the host says of it: commands want to know more than the id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from bindings.client import ReusePolicy
from bindings.remote import answers, asking
from bindings.remote.refusals import refusal

if TYPE_CHECKING:  # it imports aiohttp
    from bindings.remote.connection import Connection


class Started(NamedTuple):
    """What was started. `is_repeated`: it was before, with the same idempotency key.

    `existing` says what became of an instance that was there: `kept`, or `moved`; "" of a new one.
    """

    instance_id: str
    is_repeated: bool
    existing: str = ""


async def start(
    connection: Connection,
    orchestrator: Callable[..., Any] | str,
    *,
    input: Any,  # noqa: A002 - as the client has it
    instance_id: str | None,
    start_at: datetime | timedelta | None,
    version: str | None,
    tags: Mapping[str, str] | None,
    reuse: ReusePolicy,
    debounce: timedelta | None,
    idempotency_key: str | None,
) -> Started:
    """Start an orchestration. Raises as `DurableClient.schedule_new_orchestration` does."""
    name = asking.name_of(orchestrator)
    given = () if instance_id is None else (asking.text(instance_id, "An instance id"),)
    answer = await connection.ask(
        "POST",
        ("orchestrators", name, *given),
        asking.new_of(start_at, version, tags, reuse, debounce),
        headers={"Idempotency-Key": asking.checked_key(idempotency_key)},
        body=asking.body_of(input, f"The input of orchestrator '{name}'"),
        is_repeatable=True,
    )
    if answer.status != HTTPStatus.ACCEPTED:
        raise refusal(answer, instance_id or "")
    is_repeated = answer.headers.get("Idempotency-Replayed") == "true"
    existing = answer.headers.get("Existing-Instance", "")
    return Started(answers.member_of(answer, "id", str), is_repeated=is_repeated, existing=existing)
