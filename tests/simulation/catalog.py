"""The functions of the simulated hosts, and the world that their activities change."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from bindings import OrchestrationContext
from bindings.kinds.records import Role
from host.core.converter import Converter
from host.core.functions import ActivityFunction, FunctionCatalog, OrchestratorFunction
from host.core.history import Payload
from tests.simulation import debounced, entities, limits, sections
from tests.simulation.orchestrators import listen, run_changed_program, run_program

Call: TypeAlias = dict[str, Any]
Led: TypeAlias = Callable[[OrchestrationContext, Any], Any]


class World:
    """What activities did, by label. It survives every host."""

    def __init__(
        self,
        note: Callable[[str], None],
        *,
        has_entities: bool = False,
        has_bouncers: bool = False,
        crowd: limits.Crowd | None = None,
    ) -> None:
        self._note = note
        self.has_entities = has_entities
        self.has_bouncers = has_bouncers
        self.crowd = crowd or limits.Crowd({})
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.only_once: set[str] = set()
        self.misled: list[str] = []
        """Instances that a host of an older version led."""

    async def echo(self, call: Call) -> str:
        """Do something for a while."""
        with self.crowd.one_more(call["label"]):
            await self._work(call)
        return str(call["label"])

    async def once(self, call: Call) -> str:
        """Do something that must not be done twice."""
        self.only_once.add(call["label"])
        return await self.echo(call)

    async def fail(self, call: Call) -> str:
        """Never succeed."""
        await self._work(call)
        raise ValueError("as ever")

    async def flaky(self, call: Call) -> str:
        """Succeed after some failures."""
        await self._work(call)
        if self.ended[call["label"]] <= call["failures"]:
            raise ValueError("not yet")
        return str(call["label"])

    async def _work(self, call: Call) -> None:
        self.begun[call["label"]] += 1
        self._note(f"{call['label']} begins")
        await asyncio.sleep(call["s"])
        self.ended[call["label"]] += 1
        self._note(f"{call['label']} ends")


class Catalog(FunctionCatalog):
    """The functions of one version of the code."""

    def __init__(
        self,
        world: World,
        *,
        is_changed: bool = False,
        lacks: Collection[str] = (),
        version: str | None = None,
    ) -> None:
        """`version` is that of the host, if it has one."""
        self.version = version
        runs = run_changed_program if is_changed else run_program
        found = [
            _orchestrator("program", self._watched(world, runs)),
            _orchestrator("listen", self._watched(world, listen)),
        ]
        if world.has_entities:
            found.append(_orchestrator(entities.ASK, self._watched(world, entities.ask)))
            found.append(_orchestrator(sections.LOCK, self._watched(world, sections.lock)))
        if world.has_bouncers:
            found.append(_orchestrator(debounced.NAME, self._watched(world, debounced.bounce)))
        if world.crowd.has_limits:
            turns = _orchestrator(limits.TURN, self._watched(world, limits.turn))
            found.append(replace(turns, limit=limits.limit_use(limits.TURNS)))
        activities = (world.echo, world.once, world.fail, world.flaky)
        self._orchestrators = {each.name: each for each in found}
        self._activities = {each.__name__: _activity(each.__name__, each) for each in activities}
        if world.crowd.has_limits:
            few = limits.limit_use(limits.FEW)
            self._activities |= {
                name: replace(self._activities[name], limit=few) for name in limits.LIMITED
            }
        self.lacks = lacks
        """The functions that are not there; an app that is swapped for another has others."""

    def _watched(self, world: World, function: Led) -> Led:
        """The function, and a look at whether this host may lead the instance."""
        own = self.version

        def watched(context: OrchestrationContext, program: Any) -> Any:
            if own is not None and context.version is not None and context.version > own:
                world.misled.append(f"{context.instance_id} of version {context.version} by {own}")
            return function(context, program)

        return watched

    def orchestrator(self, name: str, _version: str | None = None) -> OrchestratorFunction | None:
        """The orchestrator of this name."""
        return None if name in self.lacks else self._orchestrators.get(name)

    def activity(self, name: str) -> ActivityFunction | None:
        """The activity of this name."""
        return None if name in self.lacks else self._activities.get(name)

    def orchestrator_names(self) -> Sequence[str]:
        """All orchestrators."""
        return sorted(self._orchestrators.keys() - self.lacks)

    def name_of(self, function: Callable[..., Any] | str, role: Role) -> str:
        """Functions are called by name here."""
        assert isinstance(function, str)
        return function


def _orchestrator(name: str, function: Led) -> OrchestratorFunction:
    return OrchestratorFunction(
        name=name, start=lambda context: function(context, context.get_input())
    )


def _activity(name: str, function: Callable[[Call], Awaitable[str]]) -> ActivityFunction:
    converter = Converter()

    async def run(payload: Payload) -> Payload:
        result = await function(converter.from_payload(payload, None, "The input"))
        return converter.to_payload(result, "The result")

    return ActivityFunction(name=name, run=run, at_most_once=name == "once")
