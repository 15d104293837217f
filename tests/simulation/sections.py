"""Critical sections in some worlds: orchestrations that read an entity, wait, and write it.

A vault is a list of words. Who has locked it reads it, and sets it to what it has read and a word
of its own. If two were in it at once, the word of one would be lost. What is drawn is drawn apart
from all else, and most worlds have none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final

from bindings import OrchestrationContext, when_any
from bindings.client import RuntimeStatus
from bindings.entity_ids import EntityId
from bindings.errors import TaskFailedError
from host.core import history
from host.core.entities.executor import Operation, OperationOutcome
from host.core.failures import failure_of
from host.core.history import Payload
from host.core.records import Snapshot
from tests.simulation.programs import Program, Step

EVERY: Final = 18
LOCK: Final = "lock"
VAULT: Final = "vault"
KEYS: Final = ("x", "y", "z")
LOCKERS: Final = 4
PATIENCE_S: Final = 5


def has_sections(seed: int) -> bool:
    """Whether a world has critical sections. Such a world has entities."""
    return seed % EVERY == EVERY - 1


def operate_vault(
    words: list[Any], operation: Operation, tried: Counter[str]
) -> tuple[list[Any], OperationOutcome]:
    """Do one operation; the state after it, and what came of it."""
    asked = json.loads(operation.input or "{}")
    match operation.name:
        case "set":
            return asked["all"], OperationOutcome()
        case "add":
            return [*words, asked["words"]], OperationOutcome()
        case "try":
            tried[asked["words"]] += 1
            if tried[asked["words"]] <= asked["failures"]:
                return words, OperationOutcome(failure=failure_of(ValueError("not yet")))
    return words, OperationOutcome(result=json.dumps(words))


# ---- who locks -------------------------------------------------------------------------------


def make_lock(random: Random) -> Program:
    """An orchestration that locks vaults."""
    kinds = ("section", "section", "section", "patient", "break", "caught", "add")
    steps: list[Step] = [
        [random.choice(kinds), _keys(random), random.choice((0, 0, 0.5, 3, 8))]
        for _ in range(random.randint(1, 4))
    ]
    if random.random() < 0.5:
        steps.append([random.choice(("keep", "raise", "again")), _keys(random), 0])
    return {"steps": steps, "rounds": 0, "left": 1}


def _keys(random: Random) -> list[str]:
    return random.sample(KEYS, random.randint(1, len(KEYS)))


async def lock(context: OrchestrationContext, program: Program) -> list[Any] | None:
    """Do the steps; what each has written, and after how many words."""
    label, log = str(context.new_uuid())[:13], [*program.get("log", [])]
    for place, (kind, keys, pause_s) in enumerate(program["steps"]):
        words, vaults = f"{label}.{place}", [EntityId(VAULT, key) for key in keys]
        match kind:
            case "section" | "break" | "caught":
                log.append(await _section(context, kind, vaults, words, pause_s))
            case "patient":
                log.append(await _patient(context, vaults, words, pause_s))
            case "add":
                context.signal_entity(vaults[0], "add", {"words": words})
                log.append([kind, [str(vaults[0])], words, None])
            case _:
                await context.lock_entities(*vaults)
                log.append(
                    [kind, [str(x) for x in vaults], words, await _write(context, vaults, words, 0)]
                )
                if kind == "raise":
                    raise ValueError("as planned")
                if kind == "again" and program["left"]:
                    context.continue_as_new(program | {"left": 0, "log": log})
                    return None
    return log


async def _section(
    context: OrchestrationContext, kind: str, vaults: Sequence[EntityId], words: str, pause_s: float
) -> Any:
    names = [str(each) for each in vaults]
    try:
        async with context.lock_entities(*vaults):
            places = await _write(context, vaults, words, pause_s)
            if kind != "section":
                asked = {"words": words, "failures": 2 if kind == "break" else 10**6}
                await context.call_entity(vaults[0], "try", asked)
    except TaskFailedError as error:
        if kind == "break" or error.details.error_type != "ValueError":
            raise
    return [kind, names, words, places]


async def _patient(
    context: OrchestrationContext, vaults: Sequence[EntityId], words: str, pause_s: float
) -> Any:
    """Wait for the lock for a while only."""
    names = [str(each) for each in vaults]
    asked = context.lock_entities(*vaults)
    timer = context.create_timer(timedelta(seconds=PATIENCE_S))
    if await when_any([asked, timer]) is timer:
        asked.cancel()
        return ["gave up", names, words, None]
    timer.cancel()
    with asked.result:
        return ["section", names, words, await _write(context, vaults, words, pause_s)]


async def _write(
    context: OrchestrationContext, vaults: Sequence[EntityId], words: str, pause_s: float
) -> list[int]:
    """Read all, wait, and write all; how many words there were in each."""
    found = [await context.call_entity(each, "get") for each in vaults]
    if pause_s:
        await context.create_timer(timedelta(seconds=pause_s))
    for each, was in zip(vaults, found, strict=True):
        await context.call_entity(each, "set", {"all": [*was, words]})
    return [len(was) for was in found]


# ---- what must hold --------------------------------------------------------------------------


def is_vault(instance_id: str) -> bool:
    """Whether this is a vault."""
    return instance_id.startswith(str(EntityId(VAULT, "")))


def problems_of_sections(
    vaults: Mapping[str, Snapshot], stored: Mapping[str, Snapshot]
) -> Iterator[str]:
    """What is wrong with vaults and those who lock them, when all has come to rest."""
    states: dict[str, list[str]] = {}
    for instance_id, snapshot in vaults.items():
        last = snapshot.batches[-1].batch.events[-1] if snapshot.batches else None
        checkpoint = last if isinstance(last, history.EntityCheckpoint) else None
        state: Payload = None if checkpoint is None else checkpoint.state
        states[instance_id] = json.loads(state or "[]")
        if snapshot.inbox:
            yield f"{instance_id} has {len(snapshot.inbox)} messages that nobody sees to"
        if checkpoint is not None and checkpoint.lock is not None:
            yield f"{instance_id} is locked by {checkpoint.lock.holder.instance_id} for ever"
        if snapshot.instance.entity is None or snapshot.instance.entity.locked_by is not None:
            yield f"{instance_id} has the row {snapshot.instance.entity}"
        for words, times in Counter(states[instance_id]).items():
            if times > 1:
                yield f"{instance_id} has {words} {times} times"
    for instance_id, snapshot in stored.items():
        if snapshot.instance.name == LOCK:
            yield from _problems_of_lock(instance_id, snapshot, states)


def _problems_of_lock(
    instance_id: str, snapshot: Snapshot, states: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    row = snapshot.instance
    steps = json.loads(row.input or "{}").get("steps", [])
    may_fail = {"raise", "break"} & {step[0] for step in steps}
    if row.status is RuntimeStatus.FAILED and not may_fail:
        yield f"{instance_id} failed: {row.failure}"
    if row.status is not RuntimeStatus.COMPLETED:
        return
    for kind, names, words, places in json.loads(row.output or "[]"):
        for number, name in enumerate(names):
            state = states.get(name, ())
            if kind == "gave up":
                if words in state:
                    yield f"{instance_id}: {words} is in {name}, which it had not locked"
            elif words not in state:
                yield f"{instance_id}: {words} is lost in {name}"
            elif places is not None and state[places[number]] != words:
                yield f"{instance_id}: {words} is not the {places[number]}. in {name}: {state}"
