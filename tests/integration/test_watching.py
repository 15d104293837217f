"""`funchost start --watch`: a folder that changes under a real host."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import aiohttp
import pytest

from tests.kit.host_process import HostNotListeningError, HostProcess, host_processes
from tests.kit.hub import until

pytestmark = pytest.mark.process

APP = """
    from funchost import AuthLevel, FunctionApp
    from shared import helper

    app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)

    @app.route("hello")
    def hello(req) -> str:
        return f"first {helper.WORD}"
"""
FILES = {
    "function_app.py": APP,
    "shared/helper.py": "WORD = 'word'",
}
DROP_IN = {
    "bindings": [
        {"type": "httpTrigger", "name": "req", "authLevel": "anonymous"},
        {"type": "http", "direction": "out", "name": "$return"},
    ]
}


def write(folder: Path, name: str, content: str) -> None:
    """As editors do: the new file takes the place of the old one at once."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_text(dedent(content), encoding="utf-8")
    part.replace(file)


def drop_in(folder: Path, content: str) -> None:
    write(folder, "function.json", json.dumps(DROP_IN))
    write(folder, "run.py", content)


@asynccontextmanager
async def watched(app: Path) -> AsyncIterator[tuple[HostProcess, aiohttp.ClientSession]]:
    for name, content in FILES.items():
        write(app, name, content)
    async with host_processes() as hosts:
        host = await hosts.start(app, "--watch")
        async with aiohttp.ClientSession(host.url) as session:
            yield host, session


async def answers(session: aiohttp.ClientSession, name: str, wanted: str | int) -> None:
    """Wait until a function answers this, or with this status."""

    async def does() -> bool:
        async with session.get(f"/api/{name}") as answer:
            return wanted in (answer.status, await answer.text())

    await until(does)


async def test_whatever_changes_in_the_folder_is_live(tmp_path: Path) -> None:
    app, elsewhere = tmp_path / "app", tmp_path / "elsewhere"
    async with watched(app) as (host, session):
        await answers(session, "hello", "first word")
        write(app, "function_app.py", APP.replace("first", "second"))
        await answers(session, "hello", "second word")
        write(app, "shared/helper.py", "WORD = 'help'")
        await answers(session, "hello", "second help")

        drop_in(elsewhere, "def main(req): return 'dropped'")
        shutil.copytree(elsewhere, app / "Copied")
        await answers(session, "Copied", "dropped")
        elsewhere.rename(app / "Moved")
        await answers(session, "Moved", "dropped")
        write(app, "Moved/run.py", "def main(req): return 'changed'")
        await answers(session, "Moved", "changed")
        shutil.rmtree(app / "Copied")
        await answers(session, "Copied", 404)
        (app / "Moved").rename(tmp_path / "away")
        await answers(session, "Moved", 404)

        write(app, "shared/helper.py", "WORD = ")
        await host.logged("function_app.py does not load: SyntaxError")
        await answers(session, "hello", "second help")
        write(app, "shared/helper.py", "WORD = 'mended'")
        await answers(session, "hello", "second mended")

        write(app, "host.json", '{"version": "2.0", "functions": []}')
        await answers(session, "hello", 404)
        (app / "host.json").unlink()
        await answers(session, "hello", "second mended")
        off = {"IsEncrypted": False, "Values": {"AzureWebJobs.hello.Disabled": "true"}}
        write(app, "local.settings.json", json.dumps(off))
        await answers(session, "hello", 404)
        assert await host.terminate() == 0


async def test_a_host_ends_while_its_app_loads(tmp_path: Path) -> None:
    async with watched(tmp_path) as (host, session):
        hangs = "import time\nprint('it hangs', file=__import__('sys').stderr, flush=True)\n"
        write(tmp_path, "shared/helper.py", f"{hangs}while True: time.sleep(0.01)")
        await host.logged("it hangs")
        await answers(session, "hello", "first word")
        assert await host.terminate() == 0


async def test_a_host_with_keys_does_not_watch(tmp_path: Path) -> None:
    write(tmp_path, "function_app.py", APP)
    async with host_processes() as hosts:
        with pytest.raises(HostNotListeningError, match="say `funchost reload`") as refused:
            await hosts.start(tmp_path, "--watch", "--keys")
        assert refused.value.exit_code == 2
