"""Every operation on an instance, in every state, through every door, on SQLite and on AWS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bindings import DurableClient
from bindings.errors import FunchostError
from bindings.remote.client import RemoteClient
from host.clock import SystemClock
from host.http.by_state import FINISHED, RETURNS, State
from host.http.management.operations import OPERATIONS
from host.http.operations import Operation
from host.storage.kinds import StorePlace
from host.storage.opening import STORES
from tests.http.every_state import app, in_state
from tests.http.hosting import Host, running_host
from tests.http.test_instance_commands import invoke
from tests.kit.aws_engine import aws_drivers, aws_hub
from tests.kit.management_table import PAGE, page


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a test goes through the doors of one operation."""

    client: Callable[[DurableClient, str], Awaitable[Any]]
    options: tuple[str, ...] = ()
    """What the command is given before the id."""
    more: tuple[str, ...] = ()
    """What it is given behind the id."""
    path: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    body: Any = None


async def exported(client: DurableClient, instance_id: str, *, moves: bool = False) -> list[bytes]:
    return [line async for line in client.export_instance(instance_id, move=moves)]


def doors(patience: timedelta) -> Mapping[str, Door]:
    """By operation; what waits waits so long."""
    return {
        "startInstanceWithId": Door(
            client=lambda client, of: client.schedule_new_orchestration("waits", instance_id=of),
            path={"name": "waits"},
            options=("waits", "--id"),
        ),
        "restartInstance": Door(
            client=lambda client, of: client.restart_instance(of),
        ),
        "getInstance": Door(client=lambda client, of: client.get_instance(of)),
        "getHistory": Door(client=lambda client, of: client.get_instance_history(of)),
        "whyInstanceWaits": Door(client=lambda client, of: client.why(of)),
        "setCustomStatus": Door(
            client=lambda client, of: client.set_custom_status(of, 1), more=("1",), body=1
        ),
        "waitForInstance": Door(
            client=lambda client, of: client.wait_for_instance_completion(of, timeout=patience),
            query=f"?timeout={patience.total_seconds()}",
            more=("--timeout", str(patience.total_seconds())),
        ),
        "raiseEvent": Door(
            client=lambda client, of: client.raise_event(of, "go"),
            path={"event_name": "go"},
            more=("go",),
        ),
        "terminateInstance": Door(client=lambda client, of: client.terminate_instance(of)),
        "suspendInstance": Door(client=lambda client, of: client.suspend_instance(of)),
        "resumeInstance": Door(client=lambda client, of: client.resume_instance(of)),
        "redriveInstance": Door(client=lambda client, of: client.redrive_instance(of)),
        "rewindInstance": Door(client=lambda client, of: client.rewind_instance(of)),
        "forkInstance": Door(client=lambda client, of: client.fork_instance(of)),
        "exportInstance": Door(client=exported),
        "moveInstance": Door(
            client=partial(exported, moves=True), query="?move=true", more=("--move",)
        ),
        "purgeInstance": Door(client=lambda client, of: client.purge_instance(of)),
    }


IN_VAIN = doors(timedelta(milliseconds=20))
IN_TIME = doors(timedelta(seconds=60))
"""What is there, or missing, is told at once; but how soon that is the machine decides."""
ON_AN_INSTANCE = [each for each in OPERATIONS if "{instance_id}" in each.path]


@asynccontextmanager
async def host_on(
    storage: str, folder: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Host]:
    if storage == "aws":
        aws_url = request.getfixturevalue("ministack_url")  # not where AWS is not tested
        async with (
            aws_hub(aws_url) as hub,
            aws_drivers(hub, SystemClock().now) as drivers,
            running_host(app=app(), storage=drivers) as host,
        ):
            yield host
        return
    place = StorePlace(hub="Hub", folder=folder)
    async with (
        STORES.find(storage).opened(place, SystemClock()) as opened,
        running_host(app=app(), storage=opened) as host,
    ):
        yield host


def test_every_operation_on_an_instance_says_what_it_answers() -> None:
    assert {each.id for each in ON_AN_INSTANCE} == IN_TIME.keys()
    for each in ON_AN_INSTANCE:
        assert each.by_state is not None
        assert hasattr(DurableClient, each.by_state.client), each.id
        assert each.answers.keys() >= set(each.by_state.answers.values()), each.id


def test_the_page_is_made_of_the_records() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it anew: python -m tests.kit.management_table"
    )


@pytest.mark.timeout(300)  # each operation in each state, through four doors
@pytest.mark.parametrize(
    "storage", ["sqlite", pytest.param("aws", marks=[pytest.mark.aws, pytest.mark.moto])]
)
async def test_every_operation_answers_in_every_state_as_its_record_says(
    storage: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    wrong: list[tuple[str, ...]] = []
    async with (
        host_on(storage, tmp_path, request) as host,
        RemoteClient(host.origin) as remote,
    ):
        for operation in ON_AN_INSTANCE:
            for state in State:
                # What is remote is the same whatever the host stores in, and takes its time.
                far = remote if storage == "sqlite" else None
                wrong += [found async for found in _differences(host, far, operation, state)]
    assert wrong == []


async def _differences(
    host: Host, remote: RemoteClient | None, operation: Operation[Any], state: State
) -> AsyncIterator[tuple[str, ...]]:
    """Where a door does not answer as the record says: operation, state, expected and said."""
    assert operation.by_state is not None
    is_answered = state in {*FINISHED, State.UNKNOWN}
    door = (IN_TIME if is_answered else IN_VAIN)[operation.id]
    expected = operation.by_state
    of = await in_state(host, state)
    path = operation.path.format(instance_id=of, **door.path)
    answer = await host.call(operation.verb, path + door.query, json=door.body)
    if answer.status != expected.answers[state]:
        yield operation.id, state.value, str(expected.answers[state]), str(answer.status)
    for client in (host.hub,) if remote is None else (host.hub, remote):
        given = await _said(door.client(client, await in_state(host, state)))
        gives = getattr(DurableClient, expected.client).__annotations__["return"]
        said = RETURNS if given == gives == "None" else given
        if said != expected.client_says(state):
            yield operation.id, state.value, expected.client_says(state), said
    if remote is None:
        return
    words = (*expected.command.split(), *door.options, await in_state(host, state), *door.more)
    ended = await invoke(*words, url=host.origin)
    if ended.exit_code != expected.exit_code(state):
        yield operation.id, state.value, str(expected.exit_code(state)), ended.output


async def _said(calling: Awaitable[Any]) -> str:
    try:
        given = await calling
    except (FunchostError, TimeoutError) as error:
        return type(error).__name__
    return "None" if given is None else RETURNS
