"""Attacks on a real host: it stays small, serves others meanwhile, and blames whom it should.

`make attacks` does all attacks, and holds the host to 300 MiB and 1 s. Without `FUNCHOST_ATTACKS` a
small part of the short ones is done, with more patience: other tests run at the same time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from host.http.keys import KeyKind, open_keys
from tests.attacks.bystander import bystander
from tests.attacks.catalogue import ATTACKS, SHORT, Attack
from tests.attacks.target import Target
from tests.fuzz.tally import faults
from tests.kit.host_process import host_processes

APP = Path(__file__).parent / "app"
IS_WHOLE = bool(os.environ.get("FUNCHOST_ATTACKS"))
SCALE = 1.0 if IS_WHOLE else 0.02
LONGEST_S = 1.0 if IS_WHOLE else 10.0
MAX_MIB = 300

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


@pytest.fixture(params=["with keys", "without keys"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Target]:
    """A host of its own for each attack."""
    key, options = None, ["--data", str(tmp_path)]
    if request.param == "with keys":
        _, made = open_keys(tmp_path / "keys.json")
        (key,) = (each.value for each in made if each.kind is KeyKind.MASTER)
        options.append("--keys")
    async with host_processes() as hosts:
        process = await hosts.start(APP, *options)
        yield Target(process=process, key=key, scale=SCALE)
        assert await process.terminate() == 0


@pytest.mark.skipif(not IS_WHOLE, reason="takes minutes: make attacks")
@pytest.mark.parametrize("attack", ATTACKS, ids=[each.__name__ for each in ATTACKS])
async def test_found_d_attacks_leave_the_host_small_and_at_the_service_of_others(
    target: Target, attack: Attack
) -> None:
    await withstands(target, attack)


@pytest.mark.skipif(IS_WHOLE, reason="is done at full length")
async def test_found_d_short_attacks_leave_the_host_small_and_at_the_service_of_others(
    target: Target,
) -> None:
    for attack in SHORT:
        await withstands(target, attack)


async def withstands(target: Target, attack: Attack) -> None:
    """Attack, and look at the host."""
    async with bystander(target.port) as other:
        await attack(target)
    sys.stdout.write(
        f"\n{attack.__name__}: peak {target.peak_mib:.0f} MiB, now {target.resident_mib:.0f} MiB, "
        f"others served {other.times} times within {other.slowest_s:.2f} s, "
        f"answers {dict(sorted(target.statuses.items()))}\n"
    )
    assert other.failures == []
    assert other.slowest_s <= LONGEST_S
    assert target.peak_mib <= MAX_MIB
    assert [status for status in target.statuses if status >= 500 and status != 503] == []
    assert faults(target.process.errors) == []
    assert await target.send("POST", "/api/measure", body=b"12345") == 200
