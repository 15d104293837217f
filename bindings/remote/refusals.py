"""What a host refuses, as the errors that the client inside a host raises."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

from bindings.errors import (
    AccessDeniedError,
    ClientError,
    EntityNotLockedError,
    FunchostError,
    FunctionNotFoundError,
    HostUnavailableError,
    InboxFullError,
    InstanceAlreadyExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    InvalidArgumentError,
    PayloadTooLargeError,
    SerializationError,
    TooManyWaitsError,
)
from bindings.remote.answers import Answer, error_texts

E = TypeVar("E", bound=FunchostError)

_STATE_OF = re.compile(r"Cannot .*: its status is (?P<status>.*)\.", re.DOTALL)
_STATUS_OF = re.compile(r".* with the status (?P<status>\w+) already exists\.", re.DOTALL)
_NUMBER = re.compile(r"[0-9][0-9,]*")


def refusal(answer: Answer, instance_id: str = "") -> FunchostError:
    """The error that the client inside a host would have raised, or else a `RemoteError`."""
    said = error_texts(answer.body)
    simple = said.get("Message", "")
    message = said.get("ExceptionMessage") or simple
    known = said.get("ExceptionType", "")
    match answer.status:
        case HTTPStatus.NOT_FOUND if simple == str(InstanceNotFoundError(instance_id)):
            return InstanceNotFoundError(instance_id)
        case HTTPStatus.GONE:
            known = InstanceStateError.__name__
        case HTTPStatus.UNAUTHORIZED:
            return AccessDeniedError(
                f"The host at {answer.origin} wants a valid key.", answer.status
            )
        case HTTPStatus.FORBIDDEN:
            return AccessDeniedError(
                f"The host at {answer.origin} refuses this. {simple}".rstrip(), answer.status
            )
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return HostUnavailableError(
                f"The host at {answer.origin} is not available now. {message}".rstrip(),
                answer.status,
            )
    build = _REFUSALS.get(known)
    if build is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer.unexpected()
    return build(message, instance_id, answer.status)


def known_error(known: str, message: str, status: int) -> FunchostError | None:
    """The error that the host names so; None if it is none that a client inside a host raises."""
    build = _REFUSALS.get(known)
    return None if build is None else build(message, "", status)


def is_none_found(answer: Answer) -> bool:
    """Whether a 404 is a host's, which says that there was nothing to delete."""
    return error_texts(answer.body).get("Message", "").startswith("No finished instance")


def _remade(kind: type[E], message: str, **members: object) -> E:
    """The error with the host's own words, which its class may not be able to say again."""
    error = kind.__new__(kind, message)
    for name, value in members.items():
        setattr(error, name, value)
    return error


def _state_error(message: str, instance_id: str, status: int) -> ClientError:
    return _remade(
        InstanceStateError,
        message,
        instance_id=instance_id,
        status=_status_in(message, _STATE_OF),
        finished=status == HTTPStatus.GONE,
    )


def _exists_error(message: str, instance_id: str, _: int) -> ClientError:
    return _remade(
        InstanceAlreadyExistsError,
        message,
        instance_id=instance_id,
        status=_status_in(message, _STATUS_OF),
    )


def _status_in(message: str, pattern: re.Pattern[str]) -> str:
    found = pattern.fullmatch(message)
    return found["status"] if found else ""


def _numbers(message: str) -> list[int]:
    return [int(each.replace(",", "")) for each in _NUMBER.findall(message)] or [0]


_REFUSALS: Mapping[str, Callable[[str, str, int], FunchostError]] = {
    "InstanceNotFoundError": lambda _message, of, _status: InstanceNotFoundError(of),
    "InstanceStateError": _state_error,
    "InstanceAlreadyExistsError": _exists_error,
    "EntityNotLockedError": lambda message, _, __: EntityNotLockedError(message),
    "FunctionNotFoundError": lambda message, _, __: FunctionNotFoundError(message),
    "InvalidArgumentError": lambda message, _, status: _remade(
        InvalidArgumentError, message, status=status
    ),
    "SerializationError": lambda message, _, __: SerializationError(message),
    "PayloadTooLargeError": lambda message, _, __: _remade(
        PayloadTooLargeError, message, size=_numbers(message)[0], limit=_numbers(message)[-1]
    ),
    "InboxFullError": lambda message, of, _: _remade(InboxFullError, message, instance_id=of),
    "TooManyWaitsError": lambda message, _, __: _remade(
        TooManyWaitsError, message, limit=_numbers(message)[0]
    ),
}
"""By the name that a host gives: what makes the error of its message, instance and status."""
