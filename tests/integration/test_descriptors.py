"""A real host whose app opens all the files that there may be."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.kit.host_process import host_processes

pytestmark = pytest.mark.process

FUNCTIONS = """
import resource
from bindings import AuthLevel, FunctionApp

app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (300, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

@app.route("take")
def take(req):
    try:
        while True:
            held.append(open("/dev/null"))
    except OSError:
        return "all"

@app.route("give")
def give(req):
    for each in held:
        each.close()
    return "back"
"""


async def test_found_d10_without_free_descriptors_the_host_says_so_and_recovers(
    tmp_path: Path,
) -> None:
    (tmp_path / "function_app.py").write_text(FUNCTIONS)
    async with host_processes() as hosts:
        host = await hosts.start(tmp_path, "--storage", "memory")
        async with aiohttp.ClientSession(host.url) as session:
            async with session.get("/api/take") as response:
                assert await response.text() == "all"
            await host.logged("As many files are open as may")
        await host.logged("Files can be opened again")  # the client's own was given back
        async with aiohttp.ClientSession(host.url) as session:
            async with session.get("/api/give") as response:
                assert response.status == 200
            async with session.get("/healthz") as response:
                assert response.status == 200
        assert host.errors.count("As many files are open as may") == 1
        assert await host.terminate() == 0
