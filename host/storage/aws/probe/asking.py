"""Asking all questions on a hub of scratch, which is made before and removed after.

Rules of this file: whatever happens, what was made is removed, unless it is to be kept: also after
Ctrl-C, and if a question fails. A question that cannot be answered keeps none from being asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep
from typing import Any, TypeAlias

from host.clock import Clock
from host.errors import ConfigurationError, StorageError
from host.settings.connections import AwsOptions
from host.storage.aws.probe.ground import Ground
from host.storage.aws.probe.questions import account, queues, rates, table
from host.storage.aws.probe.records import Answer, Question, unknown
from host.storage.aws.probe.watched import WatchedTransport
from host.storage.aws.schema import HubLayout
from host.storage.aws.setup.provision import Provisioner
from host.storage.aws.setup.queues import Pause
from host.storage.aws.setup.sessions import setup_clients
from host.storage.aws.wire.connections import PooledTransport
from host.storage.aws.wire.endpoints import resolve

QUESTIONS: Sequence[Question] = (
    *queues.QUESTIONS,
    *table.QUESTIONS,
    *rates.QUESTIONS,
    *account.QUESTIONS,  # last: what was asked before shows the clocks
)

COST = "less than 0.01 USD, in about two minutes"
COST_OF_LOAD = "about 0.60 USD, in about 25 minutes"
"""List prices of us-east-1: 70,000 starts of three write units, 300,000 writes and a million reads
of one unit, 250,000 requests to SQS."""

_LIMIT_S = 120
_LIMIT_OF_LOAD_S = 1_200
_PASSES = 3
_BETWEEN_PASSES_S = 2.0

Say = Callable[[str], None]
Lead: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """How to ask. `scale` shortens what goes on under load."""

    aws: AwsOptions
    questions: Sequence[Question]
    keep: bool = False
    scale: float = 1.0


class Probe:
    """Asks; what was answered so far stays in `answers`, also if it is broken off, with `region`.

    Raises `ConfigurationError` or `StorageUnavailableError` if the hub cannot be made or removed.
    """

    def __init__(self, layout: HubLayout, options: ProbeOptions, clock: Clock, say: Say) -> None:
        self._layout = layout
        self._options = options
        self._clock = clock
        self._say = say
        self.hub = layout.hub
        self.answers: list[Answer] = []
        self.region = ""

    def run(self, lead: Lead = asyncio.run) -> None:
        """Make the hub, ask, remove the hub. Blocks. `lead` runs what it is given on a loop."""
        with self._scratch_hub() as waited_s:
            lead(self._ask_all(waited_s))

    @contextmanager
    def _scratch_hub(self) -> Iterator[float]:
        waits: list[float] = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            sleep(seconds)

        setup = Provisioner(self._layout, self._options.aws, pause=pause)
        self.region = setup.region
        problems: list[str] = []
        try:
            self._make(setup, problems)
            yield sum(waits)
        finally:
            if self._options.keep:
                self._say(f"The hub {self._layout.hub} is kept. {self._how_to_remove()}")
            else:
                self._remove(setup, sleep, problems)

    def _make(self, setup: Provisioner, problems: list[str]) -> None:
        try:
            for line in setup.create():
                self._say(line)
        except (ConfigurationError, StorageError) as error:
            problems.append(f"The hub {self._layout.hub} could not be made: {error}")
            raise ConfigurationError(*problems) from error

    def _remove(self, setup: Provisioner, pause: Pause, problems: Sequence[str]) -> None:
        """Delete it until nothing is there: what was just being made shows up late.

        `problems` are those of before, which the error is not to hide.
        """
        try:
            for number in range(_PASSES):
                gone = [line for line in setup.delete() if line.startswith("Deleted")]
                for line in gone:
                    self._say(line)
                if not gone and number > 0:
                    return
                pause(_BETWEEN_PASSES_S if number < _PASSES - 1 else 0)
        except KeyboardInterrupt:
            self._say(f"The hub {self._layout.hub} may be left. {self._how_to_remove()}")
            raise
        except (ConfigurationError, StorageError) as error:
            if not problems:
                problems = [f"The hub {self._layout.hub} could not be removed: {error}"]
            else:
                problems = [*problems, "If any of it is there, it could not be removed."]
            raise ConfigurationError(*problems, self._how_to_remove()) from error

    def _how_to_remove(self) -> str:
        where = f"--region {self.region} --hub {self._layout.hub}"
        return f"Remove it with: funchost hub delete {where}"

    async def _ask_all(self, waited_s: float) -> None:
        config = resolve(self._options.aws, self._clock)
        pool = PooledTransport(ca_bundle=config.ca_bundle)
        await pool.open()
        ground = Ground(
            layout=self._layout,
            config=config,
            clock=self._clock,
            way=WatchedTransport(pool, self._clock),
            boto=setup_clients(self._options.aws),
            queues_shown_after_s=waited_s,
            scale=self._options.scale,
        )
        try:
            for question in self._options.questions:
                self._say(f"{question.name}: {question.asks}")
                self.answers.append(await ask(question, ground))
        finally:
            await pool.close()


async def ask(question: Question, ground: Ground) -> Answer:
    """Ask one question, with patience."""
    limit_s = _LIMIT_OF_LOAD_S if question.needs_load else _LIMIT_S
    try:
        async with asyncio.timeout(limit_s):
            return Answer(question=question, seen=await question.ask(ground))
    except TimeoutError:
        return Answer(question=question, seen=unknown(f"no answer within {limit_s} s"))
    except StorageError as error:
        return Answer(question=question, seen=unknown(str(error)))
    except Exception as error:  # noqa: BLE001 - the others are asked, and the hub is removed
        return Answer(question=question, seen=unknown(repr(error)), broke=True)
