"""What the properties of queue bindings say, and how bodies are written."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from bindings.errors import FunctionDefinitionError, InvalidArgumentError
from bindings.kinds.queues import MessageEncoding
from bindings.shown_values import shown_value
from bindings.timespans import parse_timespan

_MAX_PAUSE: Final = timedelta(hours=12)
"""That of SQS."""

_E = TypeVar("_E", bound=StrEnum)

COMMON: Final[Mapping[str, Mapping[str, Any]]] = {
    "queueName": {
        "type": "string",
        "description": "the queue's name (with a connection to SQS also its URL or ARN); one that "
        "ends with `.fifo` is a FIFO queue",
    },
    "connection": {
        "type": "string",
        "description": "the app settings that say where it is; without it, the place that goes "
        "with the hub",
    },
    "messageEncoding": {
        "enum": [each.value for each in MessageEncoding],
        "description": "how bodies are written; without it as host.json says",
    },
}


def queue_name(given: object) -> str:
    """The name of a queue. Raises `FunctionDefinitionError`, as all here do."""
    if not isinstance(given, str) or not given.strip():
        raise FunctionDefinitionError(
            "'queueName' is missing: name the queue, such as 'orders'"
            f"{'' if given is None else f', not {shown_value(given)}'}."
        )
    return given.strip()


def connection_name(given: Mapping[str, Any]) -> str | None:
    """The name of a connection."""
    connection = given.get("connection")
    if connection is not None and not isinstance(connection, str):
        raise FunctionDefinitionError(
            f"'connection' must be a text, not {shown_value(connection)}."
        )
    return connection or None


def member(given: Mapping[str, Any], name: str, kind: type[_E]) -> _E | None:
    """One of several words, in any case."""
    value = given.get(name)
    if value is None:
        return None
    for each in kind:
        if isinstance(value, str) and value.lower() == each.value:
            return each
    names = " or ".join(each.value for each in kind)
    raise FunctionDefinitionError(f"'{name}' must be {names}, not {shown_value(value)}.")


def number(given: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    """A number, or its text: so it comes out of an app setting."""
    value = given.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise FunctionDefinitionError(
            f"'{name}' must be a number from {least} to {most}, not {shown_value(value)}."
        )
    return value


def pause(value: object) -> timedelta | None:
    """How long nobody gets a message."""
    if value is None:
        return None
    try:
        found = parse_timespan(value)
    except ValueError as error:
        raise FunctionDefinitionError(f"'visibilityTimeout' is no duration: {error}.") from None
    if not timedelta() <= found <= _MAX_PAUSE:
        raise FunctionDefinitionError("'visibilityTimeout' is 12 hours at most.")
    return found


def decoded(body: str, encoding: MessageEncoding) -> bytes:
    """A body that was written so. Raises `InvalidArgumentError` if it was not."""
    if encoding is MessageEncoding.NONE:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidArgumentError(
            "The message is not written in base64, as the messageEncoding says."
        ) from error


def encoded(body: str | bytes, encoding: MessageEncoding) -> str:
    """A body as it is written. Raises `InvalidArgumentError` for bytes that are no text."""
    if encoding is MessageEncoding.BASE64:
        return base64.b64encode(body.encode() if isinstance(body, str) else body).decode()
    if isinstance(body, str):
        return body
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(
            f"A message of bytes is not UTF-8 ({error.reason} at {error.start}): use the "
            "messageEncoding base64."
        ) from error
