"""What an operation on one instance answers, by the state that the instance is in.

The record of such an operation says it once. `docs/reference/management.md` is made of it, and
a test walks all of it through each door.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from types import MappingProxyType


class State(Enum):
    """What an operator may find an instance in."""

    UNKNOWN = "unknown"
    """There is no instance with the id."""
    SCHEDULED = "scheduled"
    """It is to start later."""
    PENDING = "pending"
    """It is stored, and no host has begun it."""
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    TERMINATED = "terminated"
    QUARANTINED = "quarantined"
    """It is suspected of ending its hosts, or cannot be read: its code runs no more."""
    BLOCKED = "blocked"
    """No host has the function that it needs next."""


FINISHED = frozenset({State.COMPLETED, State.FAILED, State.TERMINATED})
BAD_ENDS = FINISHED - {State.COMPLETED}


RETURNS = "returns"
USUALLY: Mapping[int, str] = MappingProxyType(
    {
        HTTPStatus.OK: RETURNS,
        HTTPStatus.ACCEPTED: RETURNS,
        HTTPStatus.NOT_FOUND: "InstanceNotFoundError",
        HTTPStatus.CONFLICT: "InstanceStateError",
        HTTPStatus.GONE: "InstanceStateError",
    }
)
"""What the client does where the webhook answers so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByState:
    """How an operation is called at the other doors, and its webhook's status by state.

    `client` is a method of `DurableClient`, `command` what follows `funchost`. `says` is what the
    client does in place of what is usual, by state or by the webhook's status. `tells_of` are the
    states in which the command ends with 1 though it is answered: it tells of a bad end.
    """

    client: str
    command: str
    answers: Mapping[State, int]
    says: Mapping[State | int, str] = field(default_factory=dict)
    tells_of: frozenset[State] = frozenset()

    def client_says(self, state: State) -> str:
        """Whether the client returns, or the name of the error that it raises, or None."""
        status = self.answers[state]
        return self.says.get(state) or self.says.get(status) or USUALLY[status]

    def exit_code(self, state: State) -> int:
        """What the command ends with: 0 if the client would return, and with nothing bad."""
        return int(self.client_says(state) != RETURNS or state in self.tells_of)


def answering(*, unknown: int, active: int, finished: int, **others: int) -> Mapping[State, int]:
    """The status by state; `others` are states by name that are not as the rest of their kind."""
    answers = dict.fromkeys(State, active) | dict.fromkeys(FINISHED, finished)
    answers[State.UNKNOWN] = unknown
    return MappingProxyType(answers | {State(name): others[name] for name in others})


ORDERS = answering(
    unknown=HTTPStatus.NOT_FOUND, active=HTTPStatus.ACCEPTED, finished=HTTPStatus.GONE
)
"""Of what is sent to an instance."""
