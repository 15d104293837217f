"""Users: they start programs, raise events and steer instances, through whatever host they reach.

Rules of this file: a careful user tries again when no answer came, and knows that it may have been
done already; in a few worlds nobody does, or says no event twice. Each attempt at an event says
something of its own, so that it can be told apart for ever: `who/event@host#number.attempt`. What
users did is in `Deeds`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from bindings.client import ReusePolicy
from bindings.entity_ids import EntityId
from bindings.errors import FunchostError, InstanceAlreadyExistsError, InstanceStateError
from host.engine.client import HubClient
from host.engine.job_records import JobAction
from tests.simulation.clerks import CANCELLED, CLERK, PROGRAMS, choose, has_clerk
from tests.simulation.debounced import BOUNCERS, Bounce, Wish, has_bouncers, wishes
from tests.simulation.entities import (
    ASK,
    KEYS,
    NAME,
    Asked,
    Signal,
    has_entities,
    make_ask,
    signal,
    signal_of,
)
from tests.simulation.hosts import NEW, OLD, Fleet, Host, NoAnswerError
from tests.simulation.keeping import keeps_little
from tests.simulation.limits import STARTERS, TERMINATED, TURN, has_limits, make_turn
from tests.simulation.loop import VirtualLoop
from tests.simulation.programs import (
    LISTENERS,
    Program,
    break_some,
    leave_some,
    make_listener,
    make_program,
    may_break,
    movable,
)
from tests.simulation.sections import LOCK, LOCKERS, has_sections, make_lock
from tests.simulation.trace import Trace

DONE, UNKNOWN = "done", "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One attempt to raise an event, or to suspend or resume."""

    target: str
    words: str
    outcome: str


@dataclass(slots=True)
class Deeds:
    """What users did, or tried to."""

    started: dict[str, str] = field(default_factory=dict)
    terminated: set[str] = field(default_factory=set)
    """Ids that somebody may have terminated."""
    removed: set[str] = field(default_factory=set)
    """Ids that somebody may have purged or started anew."""
    unsure: set[str] = field(default_factory=set)
    """Ids with a start that was not answered: it may land late, in place of an ended run."""
    said: list[Said] = field(default_factory=list)
    ordered: list[Said] = field(default_factory=list)
    """Every attempt to suspend or resume."""
    felled: set[str] = field(default_factory=set)
    """Ids whose children somebody may have terminated, too, each by itself: a parent that is done
    before its own order comes in has seen them end so."""
    cancelled: set[str] = field(default_factory=set)
    """Jobs of which somebody was told that no more will be done."""
    copied: set[str] = field(default_factory=set)
    """Ids under which others were imported: what they draw is not what they drew before."""
    forked: set[str] = field(default_factory=set)
    """Ids of forks."""
    asked: Asked = field(default_factory=Asked)
    """What was asked of entities."""
    bounces: list[Bounce] = field(default_factory=list)
    """Every attempt at a debounced start."""
    refused: list[str] = field(default_factory=list)
    """What was refused although the instance was there and had not ended, by what it was told."""


TRIES = 8
EVENT = "event"
ASKED = frozenset({EVENT, "start", "terminate", "purge", "restart", "again"})
"""All that users ask for, but orders: who is suspended has to be resumed."""
AT_ONCE = 0.5
HEAVY = 0.03
MOVER = "mover"
MOVERS = 0.3
"""In how many worlds somebody forks and copies instances."""
PATIENT_TRIES = 60
KEYED = 0.3
LABELLED = 0.3
START, KEYED_START, LABEL = "start", "start with a key", "label"
BALLAST_BYTES = 20_000
"""Some programs have so much to carry that their rows and batches do not fit into one item."""

Ask = Callable[[HubClient], Coroutine[Any, Any, Any]]


class Users:
    """Everybody who steers."""

    def __init__(
        self,
        loop: VirtualLoop,
        seed: int,
        fleet: Fleet,
        trace: Trace,
        absent: Collection[str],
        *,
        once: Collection[str] = (),
    ) -> None:
        """What is asked for `once` nobody asks for again: what became of it the hub sorts out."""
        self.deeds = Deeds()
        self._once = once
        self._loop = loop
        self._seed = seed
        self._fleet = fleet
        self._trace = trace
        owners = [f"p{number}" for number in range(Random(f"{seed}/owners").randint(1, 6))]
        talkers = [f"talker{number}" for number in range(3)]
        clerks = [CLERK] if has_clerk(seed) else []
        self._owners = owners
        self._unmoved: list[tuple[bytes, str]] = []
        # What a clerk does to all is not known of instances that come as he does it.
        moves = not clerks and Random(f"{seed}/movers").random() < MOVERS
        movers = [MOVER] if moves else []
        everybody = (*owners, *talkers, *clerks, *movers)
        self.names = tuple(name for name in everybody if name not in absent)
        self._keeps_little = keeps_little(seed)

    async def set_up(self) -> None:
        """Start the listeners; they hear everything that is said from now on."""
        random = Random(f"{self._seed}/listeners")
        for listener in LISTENERS:
            await self._start(random, listener, "listen", make_listener(random))

    async def act(self) -> None:
        """Let all users do what they want to do."""
        others = [self._label()] if Random(f"{self._seed}/labels").random() < LABELLED else []
        if has_entities(self._seed):
            others += [self._ask_entities(number) for number in range(3)]
        if has_limits(self._seed):
            others += [self._take_turns(number) for number in range(STARTERS)]
        if has_bouncers(self._seed):
            others += [self._bounce(number) for number in range(BOUNCERS)]
        if has_sections(self._seed):
            others += [self._lock_entities(number) for number in range(LOCKERS)]
        await asyncio.gather(*map(self._live, self.names), *others)

    async def say(self, random: Random, who: str, target: str, name: str, number: int) -> None:
        """Raise one event, until an answer says that it was raised or that it never will be."""
        for attempt in range(self._tries(EVENT)):
            host = await self._reach(random)
            words = f"{who}/{name.lower()}@{host.process.name}#{number}.{attempt}"
            try:
                await host.ask(partial(_raise_event, target, name, words))
            except NoAnswerError:
                self.deeds.said.append(Said(target=target, words=words, outcome=UNKNOWN))
                await self._loop.pass_time(random.uniform(0, 3))
            except FunchostError as error:
                outcome = type(error).__name__
                self.deeds.said.append(Said(target=target, words=words, outcome=outcome))
                return
            else:
                self.deeds.said.append(Said(target=target, words=words, outcome=DONE))
                return

    async def start(self, random: Random, id_: str, program: Program) -> None:
        """Start a program."""
        await self._start(random, id_, "program", program)

    async def resume(self, random: Random, id_: str) -> None:
        """Resume an instance, as whoever cleans up does."""
        await self._order(random, "resume", id_)

    async def tell(self, random: Random, id_: str, words: str) -> None:
        """Say something that is not counted."""
        await self._try(random, "tell", id_, lambda client: client.raise_event(id_, "said", words))

    # ---- kinds of users -----------------------------------------------------------------------

    async def _ask_entities(self, number: int) -> None:
        """Start an orchestration that asks entities, and signal them."""
        random = Random(f"{self._seed}/asker{number}")
        await self._loop.pass_time(random.uniform(0, 20))
        await self._start(random, f"ask{number}", ASK, {"steps": make_ask(random)})
        for place in range(random.randint(0, 6)):
            await self._loop.pass_time(random.choice((0, 0, 0.5, 4)))
            await self._signal(random, f"signaler{number}", place)

    async def _take_turns(self, number: int) -> None:
        """Start orchestrations that keep to a limit; terminate some of them."""
        random = Random(f"{self._seed}/turns{number}")
        for place in range(random.randint(1, 4)):
            await self._loop.pass_time(random.uniform(0, 8))
            id_ = f"turn{number}-{place}"
            await self._start(random, id_, TURN, make_turn(random))
            if random.random() < TERMINATED:
                self.deeds.terminated.add(id_)
                await self._loop.pass_time(random.uniform(0, 5))
                await self._try(random, "terminate", id_, partial(_terminate, id_=id_))

    async def _bounce(self, number: int) -> None:
        """Make debounced starts, each until there is an answer."""
        random = Random(f"{self._seed}/bouncer{number}")
        for place, (pause_s, wish) in enumerate(wishes(random)):
            await self._loop.pass_time(pause_s)
            for attempt in range(TRIES):
                if await self._bounced(random, wish, f"bounce{number}.{place}.{attempt}"):
                    break
                await self._loop.pass_time(random.uniform(0, 3))

    async def _bounced(self, random: Random, wish: Wish, words: str) -> bool:
        host = await self._reach(random)
        begun_at, outcome = self._loop.time(), DONE
        try:
            await host.ask(lambda client: wish.make(client, words))
        except NoAnswerError:
            outcome = UNKNOWN
        except FunchostError as error:
            outcome = type(error).__name__
        self.deeds.bounces.append(
            Bounce(
                target=wish.target,
                words=words,
                begun_at=begun_at,
                ended_at=self._loop.time(),
                is_done=outcome == DONE,
                is_refused=outcome not in {DONE, UNKNOWN},
                may_be_kept=wish.reuse is ReusePolicy.KEEP_ACTIVE,
            )
        )
        self._trace.step("user", "debounced start", wish.target, outcome)
        return outcome != UNKNOWN

    async def _lock_entities(self, number: int) -> None:
        """Start an orchestration that locks entities; terminate it, or rewind it while it fails."""
        random = Random(f"{self._seed}/locker{number}")
        await self._loop.pass_time(random.uniform(0, 15))
        id_ = f"lock{number}"
        await self._start(random, id_, LOCK, make_lock(random))
        match random.choice(("terminate", "rewind", "rewind", "nothing")):
            case "terminate":
                self.deeds.terminated.add(id_)
                await self._loop.pass_time(random.uniform(0, 20))
                await self._try(
                    random,
                    "terminate",
                    id_,
                    lambda client: client.terminate_instance(id_, "enough"),
                )
            case "rewind":
                await self._rewind(random, id_)
            case _:
                pass

    async def _signal(self, random: Random, sender: str, number: int) -> None:
        """Signal an entity, until there is an answer; each attempt says something of its own."""
        target = EntityId(NAME, random.choice(KEYS))
        for attempt in range(TRIES):
            host = await self._reach(random)
            words = signal_of(sender, number, host.process.name, attempt)
            is_done = False
            with suppress(NoAnswerError):
                await host.ask(partial(signal, target=target, words=words))
                is_done = True
            self.deeds.asked.signals.append(
                Signal(
                    sender=sender,
                    number=number,
                    target=str(target),
                    words=words,
                    is_done=is_done,
                )
            )
            self._trace.step("user", "signal", str(target), DONE if is_done else UNKNOWN)
            if is_done:
                return
            await self._loop.pass_time(random.uniform(0, 3))

    async def _live(self, name: str) -> None:
        random = Random(f"{self._seed}/{name}")
        if name.startswith("talker"):
            await self._talk(random, name)
        elif name == CLERK:
            await self._start_jobs(random)
        elif name == MOVER:
            await self._move_about(random, name)
        else:
            await self._own(random, name)

    async def _talk(self, random: Random, name: str) -> None:
        """Tell the listeners many things."""
        for place in range(random.randint(2, 12)):
            await self._loop.pass_time(random.choice((0, 0, 0.5, 2, 10)))
            await self.say(random, name, random.choice(LISTENERS), "said", place)

    async def _own(self, random: Random, instance_id: str) -> None:
        """Start a program, then steer it."""
        breaking = Random(f"{self._seed}/{instance_id}/rewinds")
        program = self._program(random, breaking, instance_id)
        await self._loop.pass_time(random.uniform(0, 20))
        await self._start(random, instance_id, "program", program)
        for place in range(random.randint(0, 6)):
            await self._loop.pass_time(random.uniform(0, 12))
            await self._steer(random, instance_id, place)
        if may_break(program):
            await self._rewind(breaking, instance_id)

    def _program(self, random: Random, breaking: Random, instance_id: str) -> Program:
        program = leave_some(Random(f"{self._seed}/{instance_id}/left"), make_program(random))
        return program if self._keeps_little else break_some(breaking, program)

    def _is_any_rewound(self) -> bool:
        """Whether any program may fail so that its owner rewinds it."""
        seed = self._seed
        return any(
            may_break(self._program(Random(f"{seed}/{id_}"), Random(f"{seed}/{id_}/rewinds"), id_))
            for id_ in self._owners
        )

    async def _start_jobs(self, random: Random) -> None:
        """Do the same to all programs, some times.

        None is purged where parents are rewound: those would wait for a child that is gone.
        """
        may_purge = not self._is_any_rewound()
        for number in range(random.randint(1, 4)):
            await self._loop.pass_time(random.uniform(0, 25))
            action = choose(random, may_purge=may_purge)
            if action is JobAction.TERMINATE:
                self.deeds.terminated.update(self._owners)
                self.deeds.felled.update(self._owners)
            if action is JobAction.PURGE:
                self.deeds.removed.update(self._owners)
            await self._start_job(random, action, number)

    async def _start_job(self, random: Random, action: JobAction, number: int) -> None:
        """Start a job, until there is an answer; each attempt may be one."""
        is_terminated = action is JobAction.TERMINATE
        for attempt in range(TRIES):
            host = await self._reach(random)
            words = f"job {number}.{attempt}"
            reason = json.dumps(words) if is_terminated else words
            try:
                job = await host.answer(host.engine.jobs.start(action, PROGRAMS, reason=reason))
            except NoAnswerError:
                await self._loop.pass_time(random.uniform(0, 3))
                continue
            self._trace.step("user", f"job to {action.value}", "all", DONE)
            if random.random() < CANCELLED:
                await self._loop.pass_time(random.choice((0, 0, 0.2, 0.5, 1)))
                await self._cancel(random, job.job_id)
            return

    async def _cancel(self, random: Random, job_id: str) -> None:
        """Have a job do no more, unless it is over."""
        host = await self._reach(random)
        with suppress(NoAnswerError, FunchostError):
            await host.answer(host.engine.jobs.cancel(job_id))
            self.deeds.cancelled.add(job_id)

    async def _move_about(self, random: Random, id_: str) -> None:
        """Start a program, then fork it, or import what is exported of it under other ids."""
        await self._start(random, id_, "program", movable(make_program(random)))
        for place in range(random.randint(1, 4)):
            await self._loop.pass_time(random.uniform(0, 15))
            if random.random() < 0.5:
                await self._fork(random, id_, f"{id_}-fork{place}")
            else:
                await self._copy(random, id_, f"{id_}-copy{place}")

    async def _fork(self, random: Random, id_: str, new_id: str) -> None:
        after = random.randint(0, 14)

        async def ask(client: HubClient) -> None:
            await client.fork_instance(id_, after_event=after, new_instance_id=new_id)

        self.deeds.forked.add(new_id)
        self._note_start(new_id, await self._try(random, "fork", id_, ask))

    async def _copy(self, random: Random, id_: str, new_id: str) -> None:
        lines: list[bytes] = []

        async def export(client: HubClient) -> None:
            lines[:] = [line async for line in client.export_instance(id_)]

        if await self._try(random, "export", id_, export) != DONE:
            return
        self.deeds.copied.add(new_id)
        renamed = _renamed(lines, id_, new_id, f"{random.getrandbits(128):032x}")
        for line in renamed:
            id_of_line = new_id if line is renamed[0] else ""
            status = await self._import(random, line, id_of_line)
            if id_of_line and status == "refused":
                return  # it has continued as new, and its next execution's id is derived
            if status in {UNKNOWN, "failed"}:
                self._unmoved.append((line, id_of_line))

    async def end_moves(self) -> None:
        """Import what could not be while there were faults: a parent would wait for its child."""
        random = Random(f"{self._seed}/unmoved")
        for line, id_ in self._unmoved:
            await self._import(random, line, id_)

    async def _import(self, random: Random, line: bytes, id_: str) -> str:
        """Import until it is known what became of it; `id_` is whose line it is, if it is known."""
        status = UNKNOWN
        for _ in range(PATIENT_TRIES):
            host = await self._reach(random)
            try:
                status = await host.ask(partial(_import_line, line))
            except NoAnswerError:
                status = UNKNOWN
            if status not in {UNKNOWN, "failed"}:
                break
            # On AWS it fails for a quarter of an hour when a host ended in the midst of it.
            await self._loop.pass_time(random.uniform(0, 5 if status == UNKNOWN else 60))
        self._trace.step("user", "import", status, "")
        if id_:
            self._note_start(id_, DONE if status == "imported" else status)
        return status

    async def _rewind(self, random: Random, id_: str) -> None:
        """Have what failed go on, some times."""
        for _ in range(random.randint(1, 6)):
            await self._loop.pass_time(random.choice((0, 0.5, 5, 20)))
            await self._try(random, "rewind", id_, lambda client: client.rewind_instance(id_))

    async def _label(self) -> None:
        """Give instances custom statuses that nobody's code has set."""
        random = Random(f"{self._seed}/statuses")
        owned = [name for name in self.names if not name.startswith("talker")]
        for number in range(random.randint(1, 10) if owned else 0):
            await self._loop.pass_time(random.uniform(0, 8))
            id_ = random.choice(owned)
            set_status = partial(_set_status, id_, f"label {number}")
            await self._try(random, LABEL, id_, set_status)

    async def _steer(self, random: Random, id_: str, place: int) -> None:
        kinds = ["event"] * 6 + ["suspend", "resume", "terminate", "purge", "restart", "again"]
        kind = random.choice(kinds)
        match kind:
            case "event":
                name = random.choice(("A", "a", "b"))
                await self.say(random, f"owner-{id_}", id_, name, place)
            case "suspend" | "resume":
                await self._order(random, kind, id_)
                if random.random() < AT_ONCE:  # the other one as soon as that is accepted
                    await self._order(random, "resume" if kind == "suspend" else "suspend", id_)
            case "terminate":
                self.deeds.terminated.add(id_)
                is_deep = random.random() < 0.7
                await self._try(
                    random,
                    kind,
                    id_,
                    lambda client: client.terminate_instance(id_, "enough", recursive=is_deep),
                )
            case "purge":
                self.deeds.removed.add(id_)
                is_deep = Random(f"{self._seed}/{id_}/purges").random() < 0.5
                await self._try(
                    random,
                    kind,
                    id_,
                    lambda client: client.purge_instance(id_, recursive=is_deep),
                )
            case _:
                self.deeds.removed.add(id_)
                is_new = kind == "again"
                await self._try(
                    random,
                    kind,
                    id_,
                    lambda client: client.restart_instance(
                        id_, restart_with_new_instance_id=is_new
                    ),
                )

    async def _order(self, random: Random, kind: str, id_: str) -> None:
        """Suspend or resume, until there is an answer."""
        for _ in range(TRIES):
            host = await self._reach(random)
            words = f"{kind} {len(self.deeds.ordered)} by {host.process.name}"
            order = _suspend if kind == "suspend" else _resume
            outcome = DONE
            try:
                await host.ask(partial(order, id_, words))
            except NoAnswerError:
                outcome = UNKNOWN
                await self._loop.pass_time(random.uniform(0, 3))
            except FunchostError as error:
                outcome = type(error).__name__
                if isinstance(error, InstanceStateError) and not error.finished:
                    self.deeds.refused.append(str(error))
            self.deeds.ordered.append(Said(target=id_, words=words, outcome=outcome))
            self._trace.step("user", kind, id_, outcome)
            if outcome != UNKNOWN:
                return

    async def _start(self, random: Random, id_: str, name: str, program: Program) -> None:
        start_at = timedelta(seconds=random.uniform(1, 20)) if random.random() < 0.2 else None
        ballast = Random(f"{self._seed}/{id_}/ballast")
        if ballast.random() < HEAVY:
            heavy = ballast.randbytes(BALLAST_BYTES).hex()
            program = {**program, "ballast": heavy}  # others may start it, too
        is_keyed = Random(f"{self._seed}/{id_}/key").random() < KEYED
        version = None
        if self._fleet.has_versions:
            version = Random(f"{self._seed}/{id_}/version").choice((None, OLD, NEW))
        outcome = await self._try(
            random,
            KEYED_START if is_keyed else START,
            id_,
            lambda client: client.schedule_new_orchestration(
                name,
                input=program,
                instance_id=id_,
                start_at=start_at,
                idempotency_key="mine" if is_keyed else None,
                version=version,
            ),
        )
        if is_keyed and outcome == InstanceAlreadyExistsError.__name__:
            self.deeds.refused.append(f"the start of {id_} with a key: {outcome}")
        self._note_start(id_, outcome)

    def _note_start(self, id_: str, outcome: str) -> None:
        self.deeds.started[id_] = outcome
        if self._keeps_little and id_ not in LISTENERS:
            self.deeds.removed.add(id_)

    async def _try(self, random: Random, what: str, id_: str, ask: Ask) -> str:
        """Ask until there is an answer; what it was."""
        outcome = UNKNOWN
        for _ in range(self._tries(what)):
            host = await self._reach(random)
            try:
                await host.ask(ask)
                outcome = DONE
            except NoAnswerError:
                if what == START:
                    self.deeds.unsure.add(id_)
                await self._loop.pass_time(random.uniform(0, 3))
                continue
            except FunchostError as error:
                outcome = type(error).__name__
            break
        self._trace.step("user", what, id_, outcome)
        return outcome

    def _tries(self, what: str) -> int:
        return 1 if what in self._once else TRIES

    async def _reach(self, random: Random) -> Host:
        while True:
            hosts = self._fleet.up()
            if hosts:
                return random.choice(hosts)
            await self._loop.pass_time(0.5)


def _renamed(lines: list[bytes], id_: str, new_id: str, execution_id: str) -> list[bytes]:
    """The lines as if another instance had done that, and its children."""
    old = json.loads(lines[0])["instance"]["execution_id"]
    return [
        line.replace(old.encode(), execution_id.encode())
        .replace(f'"{id_}:{old[:8]}:'.encode(), f'"{new_id}:{execution_id[:8]}:'.encode())
        .replace(f'"{id_}"'.encode(), f'"{new_id}"'.encode())
        for line in lines
    ]


async def _import_line(line: bytes, client: HubClient) -> str:
    (answer,) = [each async for each in client.import_instances([line])]
    return answer.status


async def _suspend(target: str, words: str, client: HubClient) -> None:
    await client.suspend_instance(target, words)


async def _resume(target: str, words: str, client: HubClient) -> None:
    await client.resume_instance(target, words)


async def _set_status(target: str, words: str, client: HubClient) -> None:
    await client.set_custom_status(target, words)


async def _terminate(client: HubClient, id_: str) -> None:
    await client.terminate_instance(id_)


async def _raise_event(target: str, name: str, words: str, client: HubClient) -> None:
    await client.raise_event(target, name, words)
