"""The clerk: somebody who steers many programs at once, by jobs. Not every world has one.

Rules of this file: all that concerns jobs is drawn from streams of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import msgspec

from host.engine.job_records import Job, JobAction
from host.engine.options import EngineOptions
from host.storage.protocol import InstanceFilter, NamedRecord

CLERK = "clerk"
SHARE = 0.3
CANCELLED = 0.5
"""So many jobs of all the clerk cancels a moment later."""
LOOK_S = 20.0
MANY = 1000
"""More jobs than any world has."""
PROGRAMS = InstanceFilter(names=frozenset({"program"}), id_prefix="p")
"""The programs of owners, and the children of these."""

_jobs = msgspec.json.Decoder(Job)


def has_clerk(seed: int) -> bool:
    """Whether a world has one."""
    return Random(f"{seed}/jobs").random() < SHARE


def serving_clerk(options: EngineOptions, seed: int) -> EngineOptions:
    """A host where there is a clerk: it looks for jobs, and writes them down in small pages."""
    if not has_clerk(seed):
        return options
    return replace(
        options, look_for_jobs_s=LOOK_S, job_page=Random(f"{seed}/pages").choice((1, 2, 5))
    )


def choose(random: Random, *, may_purge: bool) -> JobAction:
    """What the next job does."""
    actions = [JobAction.TERMINATE, JobAction.SUSPEND, JobAction.SUSPEND, JobAction.RESUME]
    return random.choice([*actions, JobAction.PURGE, JobAction.PURGE] if may_purge else actions)


def jobs_of(records: Iterable[NamedRecord]) -> list[Job]:
    """The jobs that these records are."""
    return [_jobs.decode(record.data) for record in records]
