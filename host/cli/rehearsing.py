"""Rehearses instances in processes of their own: what an app prints is thrown away there.

Rules of this file: what runs in those processes is below `_prepare`. They load the app as a host
does, and nothing that is not a module's function or plain data is passed to them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import get_context
from types import FrameType
from typing import TypeAlias

from msgspec.structs import replace

from bindings.signatures import innermost
from host.core.failures import in_words
from host.core.records import Instance, Snapshot
from host.core.replay.rehearsal import Fate, Rehearsals, Rehearsed
from host.errors import HostError
from host.functions.model import App
from host.wiring.options import HostOptions, read_settings
from host.wiring.part_options import converter_of, versioning_of
from host.wiring.versions import load_version

CHUNK = 25
AGAIN_S = 1.0
"""Code that goes on when it is broken off is broken off again after so long."""

Case: TypeAlias = Snapshot | Rehearsed
"""An instance, or what is known of one that cannot be read."""


class ProcessEndedError(HostError):
    """A process that rehearsed ended by itself."""


async def rehearsed(
    options: HostOptions, cases: AsyncIterator[Case], *, workers: int, limit_s: float
) -> AsyncIterator[Rehearsed]:
    """What becomes of the instances, in no order. Raises `ConfigurationError`, and what they raise.

    Code that takes longer than `limit_s` over one of them is broken off, where the system can.

    No more of them are in memory than are worked on.
    """
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_prepare)
    running: set[asyncio.Future[Sequence[Rehearsed]]] = set()
    loop = asyncio.get_running_loop()
    try:
        # With nothing to do it begins to load the app.
        running.add(loop.run_in_executor(pool, rehearse, options, limit_s, ()))
        async for chunk in _chunks(cases):
            snapshots = tuple(each for each in chunk if isinstance(each, Snapshot))
            running.add(loop.run_in_executor(pool, rehearse, options, limit_s, snapshots))
            for each in chunk:
                if isinstance(each, Rehearsed):
                    yield each
            while len(running) > 2 * workers:
                for each in await _first_of(running):
                    yield each
        while running:
            for each in await _first_of(running):
                yield each
    except BrokenProcessPool as error:
        raise ProcessEndedError("A process that ran the app's code ended by itself.") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


async def _first_of(running: set[asyncio.Future[Sequence[Rehearsed]]]) -> list[Rehearsed]:
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    running -= done
    return [each for future in done for each in future.result()]


async def _chunks(cases: AsyncIterator[Case]) -> AsyncIterator[list[Case]]:
    chunk: list[Case] = []
    async for case in cases:
        chunk.append(case)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


# ---- in a process of its own -----------------------------------------------------------------


def _prepare() -> None:
    """Let nobody see what an app prints. Ctrl-C is for whoever began this."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def rehearse(
    options: HostOptions, limit_s: float, snapshots: Sequence[Snapshot]
) -> list[Rehearsed]:
    """What becomes of these. Raises `ConfigurationError`."""
    stage = _stage(options)
    return [_rehearse(stage, snapshot, limit_s) for snapshot in snapshots]


class _Stage:
    """An app that is loaded."""

    def __init__(self, options: HostOptions) -> None:
        settings = read_settings(options)
        os.environ.update(settings.exports)
        version = load_version(options, settings)
        durable = settings.extensions.durable_task
        self.app: App = version.app
        self.rehearsals = Rehearsals(
            version.catalog,
            converter_of(settings),
            versioning_of(durable),
            durable.max_orchestration_actions,
        )

    def why_missing(self, name: str) -> str:
        """Why a function of this name may be missing, if something does not load."""
        broken = [x for x in self.app.broken if x.is_module or x.name.lower() == name.lower()]
        return "".join(f" {each}" for each in broken)

    def beginning_of(self, name: str, version: str | None) -> tuple[str, int]:
        """Where the code of an orchestrator begins."""
        found = [x for x in self.app.functions if x.name.lower() == name.lower()]
        found.sort(key=lambda each: each.version not in {version, None})
        function = innermost(found[0].declaration.function) if found else None
        code = getattr(function, "__code__", None)
        return ("", 0) if code is None else (code.co_filename, code.co_firstlineno)


@cache
def _stage(options: HostOptions) -> _Stage:
    return _Stage(options)


def _rehearse(stage: _Stage, snapshot: Snapshot, limit_s: float) -> Rehearsed:
    row, found = snapshot.instance, None
    try:
        with _time_limited(limit_s) as is_over:
            found = stage.rehearsals.rehearse(snapshot)
    except _OverError:
        pass
    except Exception as error:  # noqa: BLE001 - an author's code and what is stored may do anything
        return _broken(row, f"It cannot be led through its history: {in_words(error)}.")
    if found is None or is_over():
        return _broken(row, f"The code does not come to an end within {limit_s:g} seconds.")
    if found.fate is not Fate.BREAKS:
        return found
    if found.place is None:
        return replace(found, reason=found.reason + stage.why_missing(row.name))
    if not found.path:
        path, line = stage.beginning_of(row.name, row.version)
        return replace(found, path=path, line=line)
    return found


def _broken(row: Instance, reason: str) -> Rehearsed:
    return Rehearsed(
        instance_id=row.instance_id,
        orchestrator=row.name,
        version=row.version,
        fate=Fate.BREAKS,
        reason=reason,
    )


class _OverError(BaseException):
    """The time is over."""


@contextmanager
def _time_limited(limit_s: float) -> Iterator[Callable[[], bool]]:
    """Break off what takes too long, where the system can; gives whether that was so."""
    over: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        over.append(number)
        raise _OverError

    if not hasattr(signal, "setitimer"):
        yield lambda: False
        return
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, limit_s, AGAIN_S)
    try:
        yield lambda: bool(over)
    finally:
        with suppress(_OverError):
            signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
