"""Hostile bytes over a socket, against a real host process: no 5xx, no hang, no growth.

`FUZZ_REQUESTS` says how many requests to send and `FUZZ_SEED` which ones; `FUZZ_FIRST` is the first
one's number, so that a single one can be replayed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.fuzz.exchange import BrokenAnswerError, exchange
from tests.fuzz.hostile_requests import make_request
from tests.fuzz.tally import Tally, faults, open_files, peak_kib, resident_kib
from tests.kit.host_process import HostProcess, host_processes

APP = Path(__file__).parent / "app"
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "1500"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
IN_FLIGHT = 8
MAX_GROWTH_KIB = 30 * 1024
MAX_NEW_FILES = 32

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc"),
]


class Attack:
    """Sends requests to one host and keeps what is wrong with the answers."""

    def __init__(self, host: HostProcess) -> None:
        address = urlsplit(host.url)
        assert address.hostname is not None
        assert address.port is not None
        self._address, self._port = address.hostname, address.port
        self.tally = Tally()
        self.findings: list[str] = []

    async def send(self, numbers: range) -> None:
        """Send the requests of these numbers, a few at a time."""
        waiting = iter(numbers)
        await asyncio.gather(*(self._send_each(waiting) for _ in range(IN_FLIGHT)))

    async def _send_each(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            request = make_request(SEED, number)
            try:
                statuses = await exchange(self._address, self._port, request)
            except BrokenAnswerError as error:
                self.findings.append(_finding(number, request.data, str(error)))
                continue
            self.tally.add(*statuses)
            if any(status >= 500 for status in statuses):
                self.findings.append(_finding(number, request.data, f"statuses {statuses}"))


def _finding(number: int, data: bytes, what: str) -> str:
    return (
        f"{what}\n  request {data[:300]!r} ({len(data)} bytes)\n  replay with: "
        f"FUZZ_SEED={SEED} FUZZ_FIRST={number} FUZZ_REQUESTS=1 "
        ".venv/bin/python -m pytest tests/fuzz/test_raw_http.py"
    )


@pytest.mark.timeout(60 + REQUESTS // 10)
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"], ids=["without keys", "with keys"])
async def test_hostile_bytes_are_answered_or_cut_off_and_leave_the_host_well(
    tmp_path: Path, address: str
) -> None:
    async with host_processes() as hosts:
        host = await hosts.start(APP, "--data", str(tmp_path), "--address", address)
        attack = Attack(host)
        warm = FIRST + REQUESTS // 5
        await attack.send(range(FIRST, warm))
        memory, files = resident_kib(host.pid), open_files(host.pid)
        await attack.send(range(warm, FIRST + REQUESTS))
        growth = resident_kib(host.pid) - memory
        _report(f"{attack.tally}; memory grew by {growth} KiB, peak {peak_kib(host.pid)} KiB")
        assert not attack.findings, "\n".join([str(len(attack.findings)), *attack.findings[:10]])
        await _assert_well(host)
        assert growth <= MAX_GROWTH_KIB
        assert open_files(host.pid) <= files + MAX_NEW_FILES
        assert await host.terminate() == 0


def _report(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")


async def _assert_well(host: HostProcess) -> None:
    async with aiohttp.ClientSession(host.url) as session:
        for path in ("/healthz", "/readyz"):
            async with session.get(path) as response:
                assert response.status == 200
        async with session.get("/admin/host/status") as response:  # closed where there are keys
            assert response.status == 401 or (await response.json())["state"] == "Running"
    assert faults(host.errors) == []
