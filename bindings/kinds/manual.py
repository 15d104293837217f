"""`manualTrigger`: a person runs the function, with a text."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping

from bindings.kinds.records import BindingKind, Call, Place, Reader, Trigger


def _read(place: Place) -> Reader:
    """A parameter that is no text gets what the text holds as JSON."""
    hint = str if place.annotation is None else place.annotation
    is_text = hint is str or str in typing.get_args(hint)
    what = f"The input '{place.binding.name}'"

    def read(value: object, call: Call) -> object:
        if is_text or not isinstance(value, str | None):
            return value
        return call.json.from_payload(value, hint, what)

    return read


def _data(value: object) -> Mapping[str, object]:
    """The properties of a text that is a JSON object."""
    try:
        properties = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        properties = None
    return properties if isinstance(properties, dict) else {}


MANUAL_TRIGGER = BindingKind(
    type="manualTrigger",
    about="the text of `input` in `POST /admin/functions/{name}`",
    trigger=Trigger(
        read=_read,
        data=_data,
        instead_of_retry="whoever runs it by hand runs it again, or catch the error",
    ),
)
