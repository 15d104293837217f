"""The value of a client output binding: which orchestrations to start.

As Durable Functions has it, the value is one object `{FunctionName, Input, InstanceId}` or a list
of them, with names in any case, or the JSON text of either. No value starts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bindings.errors import InvalidArgumentError
from bindings.shown_values import shown_value


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """One orchestration to start. Without an id it gets a new one."""

    function_name: str
    input: Any = None
    instance_id: str | None = None


def start_requests(value: object, binding_name: str) -> list[StartRequest]:
    """All starts that the value asks for, in order. Raises `InvalidArgumentError`."""
    return [_request(item, binding_name) for item in _items(value, binding_name)]


def _items(value: object, binding_name: str) -> Iterator[object]:
    if isinstance(value, str):
        value = _parsed(value, binding_name)
    if isinstance(value, list | tuple):
        for item in value:
            yield _parsed(item, binding_name) if isinstance(item, str) else item
    elif value is not None:
        yield value


def _parsed(text: str, binding_name: str) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"The value of the output '{binding_name}' is a text that is not JSON: {error}"
        ) from error
    return parsed


def _request(item: object, binding_name: str) -> StartRequest:
    given: Mapping[Any, Any] = item if isinstance(item, Mapping) else {}
    fields = {str(key).lower(): value for key, value in given.items()}
    name, instance_id = fields.get("functionname"), fields.get("instanceid")
    if not isinstance(name, str) or not name or not isinstance(instance_id, str | None):
        raise InvalidArgumentError(
            f"The output '{binding_name}' takes one or a list of {{FunctionName, Input, "
            f"InstanceId}}, with texts as FunctionName and InstanceId, not {shown_value(item)}."
        )
    return StartRequest(
        function_name=name, input=fields.get("input"), instance_id=instance_id or None
    )
