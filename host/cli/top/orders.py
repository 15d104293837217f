"""What `funchost top` can have done to an instance: each key, its question and its request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bindings.client import OrchestrationState, RuntimeStatus
from bindings.remote.client import RemoteClient


@dataclass(frozen=True, slots=True)
class Rule:
    """Which instances something can be done with; `otherwise` says why not with the others."""

    allows: Callable[[OrchestrationState], bool]
    otherwise: str

    def refusal(self, state: OrchestrationState) -> str:
        """Why it cannot be done with this one."""
        return f"'{state.instance_id}' is {state.runtime_status.value}: {self.otherwise}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One of them. `asks` is the question before it is done, with the instance's id in it."""

    key: str
    name: str
    rule: Rule
    asks: str
    do: Callable[[RemoteClient, str], Awaitable[object]]


def _is_active(state: OrchestrationState) -> bool:
    return not state.runtime_status.is_finished


def _is_held(state: OrchestrationState) -> bool:
    return state.runtime_status is RuntimeStatus.SUSPENDED


def _has_failed(state: OrchestrationState) -> bool:
    return state.runtime_status is RuntimeStatus.FAILED


RAISE_EVENT: Final = Rule(_is_active, "it takes no events any more")
_REASON: Final = "funchost top"
ORDERS: Final[Mapping[str, Order]] = {
    each.name: each
    for each in (
        Order(
            key="t",
            name="terminate",
            rule=Rule(_is_active, "there is nothing to stop"),
            asks="Stop '{}' and its sub-orchestrations? Its code does not go on.",
            do=lambda client, id_: client.terminate_instance(id_, _REASON),
        ),
        Order(
            key="s",
            name="suspend",
            rule=Rule(lambda it: _is_active(it) and not _is_held(it), "there is nothing to hold"),
            asks="Hold '{}' until it is resumed?",
            do=lambda client, id_: client.suspend_instance(id_, _REASON),
        ),
        Order(
            key="r",
            name="resume",
            rule=Rule(_is_held, "nothing holds it"),
            asks="Let '{}' go on?",
            do=lambda client, id_: client.resume_instance(id_, _REASON),
        ),
        Order(
            key="w",
            name="rewind",
            rule=Rule(_has_failed, "only what failed can be rewound"),
            asks="Let '{}', which failed, go on from before its failure?",
            do=lambda client, id_: client.rewind_instance(id_, _REASON),
        ),
        Order(
            key="d",
            name="redrive",
            rule=Rule(lambda it: it.is_quarantined, "it is not quarantined"),
            asks="Try '{}', which is quarantined, anew?",
            do=lambda client, id_: client.redrive_instance(id_),
        ),
        Order(
            key="x",
            name="purge",
            rule=Rule(lambda it: not _is_active(it), "only what is finished can be deleted"),
            asks="Delete '{}', which is finished, for good?",
            do=lambda client, id_: client.purge_instance(id_),
        ),
    )
}
