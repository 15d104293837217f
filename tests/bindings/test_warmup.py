"""Functions that run at each start of a host, before it is ready; in both styles."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import pytest

from tests.kit.served_app import served

MakeApp = Callable[[Mapping[str, str]], Path]

DECORATED = """
    from funchost import FunctionApp

    app = FunctionApp()

    @app.function_name("warm")
    @app.warm_up_trigger()
    CODE
"""
CODE = {
    "asks": """async def main(warmup=None):
        import gate
        gate.began += 1
        await gate.opens.wait()
""",
    "fails": """def main(warmup=None):
        import gate
        gate.began += 1
        raise OSError("the cache is cold")
""",
}
GATE = """
    import asyncio

    began = 0
    opens = asyncio.Event()
"""
STYLES = pytest.mark.parametrize("is_decorated", [True, False], ids=["decorated", "function.json"])


@pytest.fixture
def app(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "")

    def made(code: str, *, is_decorated: bool) -> Path:
        if is_decorated:
            text = DECORATED.replace("CODE", CODE[code])
            return make_app({"function_app.py": text, "gate.py": GATE})
        binding = {"type": "warmupTrigger", "name": "warmup", "direction": "in"}
        return make_app(
            {
                "warm/run.py": CODE[code].replace("\n        ", "\n    "),
                "warm/function.json": json.dumps({"bindings": [binding]}),
                "gate.py": GATE,
            }
        )

    return made


async def errors(session: aiohttp.ClientSession) -> list[str]:
    async with session.get("/admin/host/status") as answer:
        found: list[str] = (await answer.json()).get("errors", [])
        return found


async def until_ready(session: aiohttp.ClientSession) -> None:
    while await errors(session):
        pass


@STYLES
async def test_a_host_is_ready_when_it_is_warm(
    app: Callable[..., Path], is_decorated: bool
) -> None:
    async with served(app("asks", is_decorated=is_decorated)) as (_, session):
        module = sys.modules["gate"]
        while not module.began:
            await errors(session)
        assert await errors(session) == [
            "Nothing triggers the function 'warm': it is still starting"
        ]
        async with session.get("/readyz") as answer:
            assert answer.status == 503
        module.opens.set()
        await until_ready(session)
        assert module.began == 1
        async with session.post("/admin/functions/warm", json={"input": ""}) as answer:
            assert answer.status == 202
        while module.began < 2:
            await errors(session)


@STYLES
async def test_a_host_is_ready_though_its_warm_up_fails(
    app: Callable[..., Path], is_decorated: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(app("fails", is_decorated=is_decorated)) as (_, session):
        await until_ready(session)
        async with session.get("/readyz") as answer:
            assert answer.status == 200
    assert "The warm-up function 'warm' failed" in caplog.text
    assert "the cache is cold" in caplog.text
