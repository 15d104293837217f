"""The JSON schema of what a function takes, by its annotation: for forms that start it.

An annotation says what the author means; what comes in is checked where it is read, as always.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from bindings.kinds.records import Role
from host.functions.model import HostFunction
from host.functions.orchestrators import input_type_of


def input_schema_of(function: HostFunction) -> dict[str, Any] | None:
    """The schema of an orchestrator's input; None where nothing is said of it.

    So it is for other functions, and for an annotation of which no schema can be made.
    """
    if function.role is not Role.ORCHESTRATOR:
        return None
    try:
        annotation = input_type_of(function.declaration.function)
        if annotation is None or annotation is Any:
            return None
        return TypeAdapter(annotation).json_schema()
    except Exception:  # noqa: BLE001 - types of authors may do anything as their schema is made
        return None
