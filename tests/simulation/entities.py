"""Entities in some worlds: who asks them, what they do, and what must have come of it.

An entity of these worlds is a list of words, each of one operation; how many there are is its tag.
So whether each was done once, whether those of one sender were done in order, and whether an answer
fits the state, can be seen in the end. All that concerns entities is drawn from streams of its own,
and most worlds have none.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final

from bindings import OrchestrationContext
from bindings.client import RuntimeStatus
from bindings.entity_ids import EntityId
from bindings.errors import TaskFailedError
from host.core import history
from host.core.entities.executor import (
    EntityContent,
    EntityOutput,
    Operate,
    Operation,
    OperationOutcome,
    SignalDeed,
)
from host.core.failures import failure_of
from host.core.functions import FunctionCatalog, LimitUse
from host.core.history import Payload
from host.core.records import Snapshot
from host.engine.client import HubClient
from tests.simulation.limits import OPERATIONS, Crowd, limit_use
from tests.simulation.programs import Program, Step
from tests.simulation.sections import VAULT, is_vault, operate_vault, problems_of_sections

EVERY: Final = 9
NAME: Final = "tally"
KEYS: Final = ("a", "b")
ASK: Final = "ask"
LACKING: Final = "echo"
"""Whoever lacks this activity lacks the entity, too."""
MAX_BATCH: Final = 3
"""A batch is broken off after so many operations, so that some are left."""


def has_entities(seed: int) -> bool:
    """Whether a world has entities."""
    return seed % EVERY == EVERY - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One attempt of a client to signal an entity."""

    sender: str
    number: int
    target: str
    words: str
    is_done: bool


@dataclass(slots=True)
class Asked:
    """What users asked of entities."""

    signals: list[Signal] = field(default_factory=list)


class Tallies:
    """Does the operations of one host's entities."""

    def __init__(self, catalog: FunctionCatalog, tried: Counter[str], crowd: Crowd) -> None:
        """`tried` counts, for all hosts, what fails some times; the `crowd` sees who works."""
        self._catalog = catalog
        self._tried = tried
        self._crowd = crowd

    def find(self, name: str, /) -> Operate | None:
        """Who does the operations, if the host's app has the entity."""
        has_it = name in {NAME, VAULT} and self._catalog.activity(LACKING) is not None
        return self._operate if has_it else None

    def limit_of(self, name: str, /) -> LimitUse | None:
        """The limit of all of them, in some worlds."""
        has_one = self._crowd.has_limits and name in {NAME, VAULT}
        return limit_use(OPERATIONS) if has_one else None

    async def _operate(
        self, instance_id: str, content: EntityContent, operations: Sequence[Operation]
    ) -> EntityOutput:
        with self._crowd.one_more(instance_id, OPERATIONS, EntityId.parse(instance_id).key):
            return await self._do(instance_id, content, operations)

    async def _do(
        self, instance_id: str, content: EntityContent, operations: Sequence[Operation]
    ) -> EntityOutput:
        """Do some of the operations: each takes a while."""
        if is_vault(instance_id):
            return await self._operate_vault(content.state, operations)
        words: list[str] = json.loads(content.state or "[]")
        tags = content.tags
        outcomes: list[OperationOutcome] = []
        for operation in operations[:MAX_BATCH]:
            asked = json.loads(operation.input or "{}")
            await asyncio.sleep(asked["s"])
            if operation.name == "fail":
                failure = failure_of(ValueError("as planned"))
                outcomes.append(OperationOutcome(failure=failure))
                continue
            words.append(asked["words"])
            tags = _tags_of(words)
            passed = operation.name == "pass"
            deeds = [_passed_on(instance_id, asked["words"])] if passed else []
            outcomes.append(OperationOutcome(result=str(len(words)), deeds=deeds))
        return EntityOutput(EntityContent(json.dumps(words), tags), outcomes)

    async def _operate_vault(self, state: Payload, operations: Sequence[Operation]) -> EntityOutput:
        words: list[Any] = json.loads(state or "[]")
        outcomes: list[OperationOutcome] = []
        for operation in operations[:MAX_BATCH]:
            await asyncio.sleep(0)
            words, outcome = operate_vault(words, operation, self._tried)
            outcomes.append(outcome)
        return EntityOutput(EntityContent(json.dumps(words)), outcomes)


def _tags_of(words: Sequence[str]) -> dict[str, str]:
    return {"words": str(len(words))} if words else {}


def _passed_on(instance_id: str, words: str) -> SignalDeed:
    key = EntityId.parse(instance_id).key
    other = EntityId(NAME, KEYS[1 - KEYS.index(key)])
    return SignalDeed(str(other), "add", json.dumps({"words": f"{words}'", "s": 0.0}))


# ---- who asks --------------------------------------------------------------------------------


def make_ask(random: Random) -> list[Step]:
    """The steps of an orchestration that asks entities."""
    steps: list[Step] = []
    for _ in range(random.randint(1, 6)):
        kind = random.choice(("call", "call", "signal", "signal", "later", "fail", "pass"))
        pause_s = random.choice((0.0, 0.0, 0.1, 2))
        steps.append([kind, random.choice(KEYS), pause_s])
    return steps


async def ask(context: OrchestrationContext, program: Program) -> list[Any]:
    """Do the steps; what each said, and what it heard."""
    label = str(context.new_uuid())[:13]
    log: list[Any] = []
    for place, (kind, key, pause_s) in enumerate(program["steps"]):
        entity, words = EntityId(NAME, key), f"{label}.{place}"
        given = {"words": words, "s": pause_s}
        if kind == "call":
            log.append([kind, key, words, await context.call_entity(entity, "add", given)])
        elif kind == "fail":
            log.append([kind, key, words, await _failed(context, entity, given)])
        else:
            later = timedelta(seconds=5) if kind == "later" else None
            name = "pass" if kind == "pass" else "add"
            context.signal_entity(entity, name, given, signal_time=later)
            log.append([kind, key, words, None])
    return log


async def _failed(context: OrchestrationContext, entity: EntityId, given: Any) -> str:
    try:
        await context.call_entity(entity, "fail", given)
    except TaskFailedError as error:
        return error.details.error_type
    return "nothing"


async def signal(client: HubClient, target: EntityId, words: str) -> None:
    """One signal of a client."""
    await client.signal_entity(target, "add", {"words": words, "s": 0.0})


def signal_of(sender: str, number: int, host: str, attempt: int) -> str:
    """The words of one attempt, which are its own."""
    return f"{sender}@{host}#{number}.{attempt}"


# ---- what must hold --------------------------------------------------------------------------


def problems_of_entities(
    entities: Mapping[str, Snapshot], stored: Mapping[str, Snapshot], asked: Asked
) -> Iterator[str]:
    """What is wrong with entities, when all has come to rest."""
    vaults = {id_: each for id_, each in entities.items() if is_vault(id_)}
    yield from problems_of_sections(vaults, stored)
    entities = {id_: each for id_, each in entities.items() if id_ not in vaults}
    states = {instance_id: _words(each) for instance_id, each in entities.items()}
    for instance_id, snapshot in entities.items():
        yield from _problems_of_one(instance_id, snapshot, states[instance_id])
    for instance_id, snapshot in stored.items():
        if snapshot.instance.name == ASK:
            yield from _problems_of_ask(instance_id, snapshot, states)
    for said in asked.signals:
        if said.is_done and said.words not in states.get(said.target, ()):
            yield f"{said.target} did not do {said.words}"
    yield from _problems_of_order(states, asked)


def _words(snapshot: Snapshot) -> list[str]:
    last = snapshot.batches[-1].batch.events[-1] if snapshot.batches else None
    if not isinstance(last, history.EntityCheckpoint):
        return []
    found: list[str] = json.loads(last.state or "[]")
    return found


def _problems_of_one(instance_id: str, snapshot: Snapshot, words: Sequence[str]) -> Iterator[str]:
    row = snapshot.instance
    if snapshot.inbox:
        yield f"{instance_id} has {len(snapshot.inbox)} operations that nobody does"
    if len(snapshot.batches) != 1:
        yield f"{instance_id} has {len(snapshot.batches)} batches"
    if row.blocked_reason:
        yield f"{instance_id} is blocked: {row.blocked_reason}"
    if snapshot.wake_at is not None:
        yield f"{instance_id} has an alarm"
    if row.entity is None or row.entity.has_state is not bool(words):
        yield f"{instance_id} has the state {words}, and its row says {row.entity}"
    if row.tags != _tags_of(words):
        yield f"{instance_id} has {len(words)} words, and its row says {row.tags}"
    for each, times in Counter(words).items():
        if times > 1:
            yield f"{instance_id} did {each} {times} times"


def _problems_of_ask(
    instance_id: str, snapshot: Snapshot, states: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    row = snapshot.instance
    if row.status is not RuntimeStatus.COMPLETED:
        yield f"{instance_id} is {row.status}: {row.failure}"
        return
    log = json.loads(row.output or "[]")
    yield from _problems_of_steps(instance_id, log, states)
    for kind, key, words, answer in log:
        state = states.get(str(EntityId(NAME, key)), ())
        if kind == "fail":
            if answer != "ValueError" or words in state:
                yield f"{instance_id}: {words} failed with {answer}, and did something: {state}"
            continue
        if words not in state:
            yield f"{instance_id}: {words} was not done by {key}"
        elif kind == "call" and state[answer - 1 : answer] != [words]:
            yield f"{instance_id}: {words} was the {answer}. of {key}, whose state is {state}"
        other = states.get(str(EntityId(NAME, KEYS[1 - KEYS.index(key)])), ())
        if kind == "pass" and f"{words}'" not in other:
            yield f"{instance_id}: {words} was not passed on by {key}"


def _problems_of_steps(
    instance_id: str, log: Sequence[Any], states: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """What one orchestration asks an entity for is done in the order of its steps."""
    for key in KEYS:
        state = states.get(str(EntityId(NAME, key)), ())
        said = [words for kind, of, words, _ in log if of == key and kind not in {"fail", "later"}]
        done = [words for words in state if words in said]
        if done != said:
            yield f"{instance_id} said {said} to {key}, which did {done}"


def _problems_of_order(states: Mapping[str, Sequence[str]], asked: Asked) -> Iterator[str]:
    """What one sender asked one entity for, one after the other, is done in that order."""
    sure = {each.words: (each.sender, each.number) for each in asked.signals if each.is_done}
    for instance_id, state in states.items():
        latest: dict[str, int] = {}
        for words in state:
            if words in sure:
                sender, number = sure[words]
                if number < latest.get(sender, -1):
                    yield f"{instance_id} did {words} too late"
                latest[sender] = number
