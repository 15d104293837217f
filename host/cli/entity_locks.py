"""`funchost entities locks|unlock`: who has locked entities, and the unlocking by force."""

from __future__ import annotations

import click

from bindings.entities import EntityQuery
from bindings.entity_ids import EntityId
from bindings.entity_locks import EntityLockState, LockAsker
from bindings.remote.client import RemoteClient
from host.cli.asking import EXIT_CODES, RefusedError, asks_host, orders_host
from host.cli.entity_pages import found_entities, in_utc
from host.cli.showing import out, print_json_line, say, table


@click.command(epilog=EXIT_CODES)
@click.argument("name", required=False)
@click.argument("entity_key", metavar="[KEY]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line each.")
@asks_host
async def locks(
    client: RemoteClient, *, name: str | None, entity_key: str | None, as_json: bool
) -> None:
    """Show who has locked entities, and who waits: all that are locked, those of NAME, or one."""
    found = await _found(client, name, entity_key)
    if not (found or as_json):
        say("No entity is locked." if name is None else f"No entity '{name}' is locked.")
    for each in found:
        if as_json:
            print_json_line(_json(each))
        else:
            _show(each)


@click.command(epilog=EXIT_CODES)
@click.argument("name")
@click.argument("entity_key", metavar="KEY")
@click.option("--holder", help="Only if the orchestration of this id has locked it.")
@orders_host
async def unlock(client: RemoteClient, *, name: str, entity_key: str, holder: str | None) -> None:
    """Unlock an entity by force.

    The orchestration that had locked it goes on; its further calls of the entity fail with
    LockLostError. To end it instead, terminate it: that unlocks all that it has locked.
    """
    entity_id = EntityId(name, entity_key)
    had = await client.unlock_entity(entity_id, holder=holder)
    out(f"'{entity_id}' is being unlocked; '{had.instance_id}' had locked it.")


async def _found(
    client: RemoteClient, name: str | None, entity_key: str | None
) -> list[EntityLockState]:
    if name is not None and entity_key is not None:
        entity_id = EntityId(name, entity_key)
        state = await client.get_entity_lock(entity_id)
        if state is None:
            raise RefusedError(f"There is no entity '{entity_id}'.")
        return [state]
    query = EntityQuery(
        name=name, include_state=False, include_without_state=True, only_locked=True
    )
    ids = [each.entity_id for each in await found_entities(client, query)]
    states = [await client.get_entity_lock(each) for each in ids]
    return [each for each in states if each is not None and each.is_locked]


def _show(state: EntityLockState) -> None:
    if state.holder is None:
        out(f"{state.entity_id} is not locked.")
        return
    out(f"{state.entity_id} is locked by {_in_words(state.holder)}.")
    if state.waiters:
        rows = [(each.instance_id, in_utc(each.since), _wish(each)) for each in state.waiters]
        table(("WAITS", "SINCE", "FOR"), rows)
    if state.waiting_signals:
        out(f"Signals that wait: {state.waiting_signals:,}.")


def _wish(asker: LockAsker) -> str:
    return "the lock" if asker.operation is None else f"its operation '{asker.operation}'"


def _in_words(asker: LockAsker) -> str:
    return f"{asker.instance_id} since {in_utc(asker.since)}"


def _json(state: EntityLockState) -> dict[str, object]:
    return {
        "entityId": {"name": state.entity_id.name, "key": state.entity_id.key},
        "isLocked": state.is_locked,
        "holder": None if state.holder is None else _asker(state.holder),
        "waiters": [_waiter(each) for each in state.waiters],
        "waitingSignals": state.waiting_signals,
    }


def _waiter(asker: LockAsker) -> dict[str, str]:
    called = {} if asker.operation is None else {"operation": asker.operation}
    return _asker(asker) | called


def _asker(asker: LockAsker) -> dict[str, str]:
    return {
        "instanceId": asker.instance_id,
        "executionId": asker.execution_id,
        "since": in_utc(asker.since),
    }
