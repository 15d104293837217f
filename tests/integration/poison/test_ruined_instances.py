"""Functions that ruin their own instance: it fails and says why, and nobody else notices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.effort import IS_TORTURE

if TYPE_CHECKING:
    from tests.integration.poison.conftest import PoisonHub

pytestmark = pytest.mark.process

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads what a process needs from /proc"
)

LIMIT_MB = 1
SETTINGS = {
    "AzureFunctionsJobHost__extensions__durableTask__maxPayloadBytes": str(LIMIT_MB * 1024 * 1024),
    "AzureFunctionsJobHost__extensions__durableTask__maxOrchestrationActions": "1000",
}
GROWTH_BYTES = 150 * 1024 * 1024
"""What a host may need beyond what it needed before: a bound for broken runs, not a measure."""

ORCHESTRATORS = [
    ("recurses", None, "maximum recursion depth exceeded"),
    ("returns_object", None, "Unable to serialize unknown type"),
    ("returns_itself", None, "Circular reference"),
    ("returns_nested", None, "Maximum serialization depth exceeded"),
    ("returns_megabytes", 2 * LIMIT_MB, "the limit is 1,048,576 bytes"),
    ("exits_itself", None, "wants to end the host"),
    ("interrupts_itself", None, "wants to interrupt the host"),
    ("schedules_without_end", None, "did 1,000 things in one turn"),
]
ACTIVITIES = [
    ("recurses_too", 0, "RecursionError"),
    ("gives_object", None, "SerializationError"),
    ("gives_nested", None, "SerializationError"),
    ("gives_itself", None, "SerializationError"),
    ("gives_half_a_character", None, "SerializationError"),
    ("gives_megabytes", 2 * LIMIT_MB, "PayloadTooLargeError"),
    ("exits", None, "SystemExit"),
    ("exits_on_loop", None, "SystemExit"),
    ("interrupts", None, "KeyboardInterrupt"),
]


async def test_what_ruins_an_instance_fails_that_one_alone(hub: PoisonHub) -> None:
    host = await hub.start(environment=SETTINGS)
    async with hub.bystanders() as bystanders:
        for function, value, reason in ORCHESTRATORS:
            status = await hub.run(function, value)
            assert status["runtimeStatus"] == "Failed", (function, status)
            assert reason in status["output"], (function, status["output"][:500])
            await bystanders.more(1)
        for function, value, reason in ACTIVITIES:
            status = await hub.run("calls", [function, value])
            assert status["output"] == reason, (function, status)
            await bystanders.more(1)
    assert (await hub.client.ask("/readyz")).status == 200
    await hub.stop()
    errors = [line for line in host.errors.splitlines() if " ERROR " in line]
    strange = [line for line in errors if " failed: " not in line]
    assert strange == []  # each is an author's


@pytest.mark.parametrize("function", ["carries_on", "never_lets_go"])
async def test_an_orchestrator_that_catches_every_error_hinders_nobody(
    hub: PoisonHub, function: str
) -> None:
    await hub.start()
    async with hub.bystanders() as bystanders:
        for instance_id in ("terminated", "left"):
            await hub.begin(function, instance_id)
        await bystanders.more(1)
        assert (await hub.post("terminated", "terminate")).status == 202
        assert (await hub.client.finished("terminated"))["runtimeStatus"] == "Terminated"
        await bystanders.more(1)
    await hub.stop()


@needs_proc
async def test_what_grows_from_execution_to_execution_ends_at_the_limit(hub: PoisonHub) -> None:
    host = await hub.start(environment=SETTINGS)
    async with hub.bystanders() as bystanders:
        await bystanders.more(1)
        before = most_memory(host.pid)
        status = await hub.run("snowballs", "x")
        assert status["runtimeStatus"] == "Failed", status
        assert "the limit is 1,048,576 bytes" in status["output"]
        await bystanders.more(1)
        assert most_memory(host.pid) - before < GROWTH_BYTES


@needs_proc
async def test_what_an_instance_keeps_is_let_go_of_when_it_ends(hub: PoisonHub) -> None:
    """Its own history is what an orchestrator may hold; afterwards nothing of it stays.

    The limit of a payload is in megabytes, and that of a history is what the instance asks for, so
    a host needs as much as its instances do. What is shown is that a host does not keep it.
    """
    kept_mb = 40
    host = await hub.start()
    async with hub.bystanders() as bystanders:
        status = await hub.run("hoards", kept_mb)
        assert status["output"] == kept_mb * 1024 * 1024
        after_one = memory(host.pid)
        for round_ in range(3):
            await hub.begin("hoards", f"hoards-{round_}", kept_mb)
            await hub.client.finished(f"hoards-{round_}")
        await bystanders.more(1)
        assert memory(host.pid) - after_one < 2 * kept_mb * 1024 * 1024


@pytest.mark.skipif(not IS_TORTURE, reason="a host puts up with an endless turn for 60 seconds")
@pytest.mark.timeout(180)
async def test_an_orchestrator_that_never_yields_is_broken_off(hub: PoisonHub) -> None:
    """In process, with smaller limits: tests/engine/test_watchdog.py."""
    host = await hub.start()
    async with hub.bystanders() as bystanders:
        await bystanders.more(1)
        status = await hub.run("spins")
        assert status["runtimeStatus"] == "Failed", status
        assert "ran for too long without waiting" in status["output"]
        await bystanders.more(3)
    await host.logged("'spins'")


def most_memory(pid: int) -> int:
    """The most that the process ever needed, in bytes."""
    return _status_of(pid)["VmHWM"]


def memory(pid: int) -> int:
    """What the process has now, in bytes."""
    return _status_of(pid)["VmRSS"]


def _status_of(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", maxsplit=1) for line in lines)
    return {
        name: int(text.split()[0]) * 1024
        for name, text in fields.items()
        if text.strip().endswith("kB")
    }
