"""`orchestrationClient` and `durableClient`: the function manages orchestrations, or starts some.

Both are the same by two names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bindings.client import DurableClient
from bindings.functions import Direction
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.records import BindingKind, Call, Giver, Input, Output, Place, Taker
from bindings.kinds.starts import StartRequest, start_requests

_TYPES = ("orchestrationClient", "durableClient")
_NAMES = ("client", "starter", "durable_client")


class ClientDecorators(Decorating):
    """The decorator of functions that have a client."""

    def orchestration_client(
        self,
        client_name: str | None = None,
        task_hub: str | None = None,
        connection_name: str | None = None,
    ) -> Callable[[F], F]:
        """Give the function a `DurableClient`."""
        check_called(client_name, "orchestration_client")
        return self.add_binding(
            _TYPES[0],
            Direction.IN,
            client_name,
            taskHub=task_hub,
            connectionName=connection_name,
        )

    durable_client_input = orchestration_client


def _give(_: Place) -> Giver:
    async def client(call: Call) -> object:
        return call.client

    return client


def _take(place: Place) -> Taker:
    """The orchestrations that the value asks for are started, in order."""
    name = place.binding.name

    async def start_all(requests: Sequence[StartRequest], call: Call) -> None:
        for request in requests:
            await call.client.schedule_new_orchestration(
                request.function_name, input=request.input, instance_id=request.instance_id
            )

    return lambda value, call: start_all(start_requests(value, name), call)


def _client_kind(type_name: str, decorator: str) -> BindingKind:
    return BindingKind(
        type=type_name,
        about="a `DurableClient`, or one or more `{FunctionName, Input, InstanceId}` to start",
        input=Input(give=_give, decorator=decorator, awaited_as="a durable client"),
        output=Output(take=_take),
        properties={
            "taskHub": {"type": "string", "description": "not used"},
            "connectionName": {"type": "string", "description": "not used"},
        },
        annotation=DurableClient,
        customary_names=_NAMES,
        default_name=_NAMES[0],
    )


ORCHESTRATION_CLIENT = _client_kind(_TYPES[0], "orchestration_client")
DURABLE_CLIENT = _client_kind(_TYPES[1], "durable_client_input")
