"""What names nothing is refused by both clients in words, without the address of an object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from bindings import DurableClient, EntityId, RemoteClient
from bindings.errors import FunchostError
from tests.http.hosting import Host


class Account:
    """Nothing that a client asks for."""


A = EntityId("Account", "a")
DOORS: dict[str, Callable[[DurableClient, Any], Any]] = {
    "get_entity": lambda client, odd: client.get_entity(odd),
    "get_entity_lock": lambda client, odd: client.get_entity_lock(odd),
    "unlock_entity": lambda client, odd: client.unlock_entity(odd),
    "signal_entity": lambda client, odd: client.signal_entity(odd, "add"),
    "operation": lambda client, odd: client.signal_entity(A, odd),
    "start": lambda client, odd: client.schedule_new_orchestration(odd),
    "start id": lambda client, odd: client.schedule_new_orchestration("echo", instance_id=odd),
    "start tags": lambda client, odd: client.schedule_new_orchestration("echo", tags={"a": odd}),
    "get_instance": lambda client, odd: client.get_instance(odd),
    "why": lambda client, odd: client.why(odd),
    "history": lambda client, odd: client.get_instance_history(odd),
    "terminate": lambda client, odd: client.terminate_instance(odd),
    "raise_event": lambda client, odd: client.raise_event(odd, "go"),
    "event": lambda client, odd: client.raise_event("x", odd),
    "purge": lambda client, odd: client.purge_instance(odd),
    "query": lambda client, odd: client.query_instances(odd),
    "timeout": lambda client, odd: client.wait_for_instance_completion("x", timeout=odd),
}


@pytest.fixture(params=["inside", "remote"])
async def client(host: Host, request: pytest.FixtureRequest) -> AsyncIterator[DurableClient]:
    if request.param == "inside":
        yield host.hub
        return
    async with RemoteClient(host.origin) as client:
        yield client


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "odd", [Account(), Account, [Account()], timedelta], ids=["object", "class", "list", "type"]
)
async def test_it_is_refused_in_words(client: DurableClient, door: str, odd: Any) -> None:
    with pytest.raises(FunchostError) as refused:
        await DOORS[door](client, odd)
    assert "0x" not in str(refused.value)
    assert str(refused.value)


@pytest.mark.parametrize("odd", ["@account@a", "Account", Account])
async def test_what_names_no_entity_says_what_to_write(client: DurableClient, odd: Any) -> None:
    for ask in (client.get_entity, client.get_entity_lock, client.unlock_entity):
        with pytest.raises(FunchostError, match=r"an EntityId, not .*: write EntityId\('Account'"):
            await ask(odd)
