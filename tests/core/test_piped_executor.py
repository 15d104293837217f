"""An executor in another process leads instances to the same place as the one of this process."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from bindings import RuntimeStatus
from host.core.functions import FunctionCatalog
from tests.core.programs import (
    HARSH_WORLDS,
    PROGRAMS,
    Moment,
    Program,
    interpret,
    live_through,
    observed,
)
from tests.golden import functions
from tests.golden.recording import ORCHESTRATORS, RecordingBench, no_stacks, record
from tests.golden.scenes import SCENES, Scene
from tests.kit.piped_executor import PipedExecutor, WorkerLostError
from tests.kit.plain_catalog import PlainCatalog


def catalog() -> FunctionCatalog:
    """The code that the worker has."""
    return PlainCatalog([interpret, *ORCHESTRATORS], functions.ACTIVITIES)


@pytest.fixture(scope="module")
def piped() -> Iterator[PipedExecutor]:
    executor = PipedExecutor(f"{__name__}:catalog")
    yield executor
    executor.kill()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_it_stores_byte_by_byte_what_the_one_of_this_process_does(
    scene: Scene, piped: PipedExecutor
) -> None:
    assert record(scene, piped) == record(scene)


@settings(max_examples=30, deadline=None)
@given(PROGRAMS, HARSH_WORLDS)
def test_whatever_comes_from_outside_it_leads_to_the_same(
    piped: PipedExecutor, program: Program, world: list[Moment]
) -> None:
    with no_stacks():
        there = live_through(program, world, executor=piped)
        here = live_through(program, world)
    assert observed(there) == observed(here)


def test_a_worker_that_is_lost_costs_a_replay_and_nothing_else(piped: PipedExecutor) -> None:
    lost = PipedExecutor(f"{__name__}:catalog")
    (scene,) = (scene for scene in SCENES if scene.name == "chain")
    bench = RecordingBench(scene, lost)
    bench.step()
    lost.kill()
    with pytest.raises(WorkerLostError):
        bench.step()
    bench.lose_memory()
    bench.executor = piped
    bench.run()
    undisturbed = RecordingBench(scene)
    undisturbed.run()
    assert bench.status is undisturbed.status is RuntimeStatus.COMPLETED
    assert bench.kinds() == undisturbed.kinds()
