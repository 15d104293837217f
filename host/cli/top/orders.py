"""What `funchost top` can have done to an instance: each key, its question and its request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bindings.remote.client import RemoteClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One of them. `asks` is the question before it is done, with the instance's id in it."""

    key: str
    name: str
    asks: str
    do: Callable[[RemoteClient, str], Awaitable[object]]


_REASON: Final = "funchost top"
ORDERS: Final[Mapping[str, Order]] = {
    each.name: each
    for each in (
        Order(
            key="t",
            name="terminate",
            asks="Stop '{}' and its sub-orchestrations? Its code does not go on.",
            do=lambda client, id_: client.terminate_instance(id_, _REASON),
        ),
        Order(
            key="s",
            name="suspend",
            asks="Hold '{}' until it is resumed?",
            do=lambda client, id_: client.suspend_instance(id_, _REASON),
        ),
        Order(
            key="r",
            name="resume",
            asks="Let '{}' go on?",
            do=lambda client, id_: client.resume_instance(id_, _REASON),
        ),
        Order(
            key="w",
            name="rewind",
            asks="Let '{}', which failed, go on from before its failure?",
            do=lambda client, id_: client.rewind_instance(id_, _REASON),
        ),
        Order(
            key="d",
            name="redrive",
            asks="Try '{}', which is quarantined, anew?",
            do=lambda client, id_: client.redrive_instance(id_),
        ),
        Order(
            key="x",
            name="purge",
            asks="Delete '{}', which is finished, for good?",
            do=lambda client, id_: client.purge_instance(id_),
        ),
    )
}
