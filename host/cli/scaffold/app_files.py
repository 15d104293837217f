"""The files of a new app, as `funchost init` writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from host.cli.scaffold.schemas import schema_path, schema_text

_FUNCTION_APP = '''\
"""The functions of this app. `funchost start` runs them."""

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    when_all,
)

app = FunctionApp()


@app.orchestration_trigger()
async def greet_all(context: OrchestrationContext, cities: list[str]) -> list[str]:
    """Every step is recorded before it counts, so it goes on after a crash where it was."""
    return await when_all([context.call_activity(say_hello, city) for city in cities])


@app.activity_trigger()
def say_hello(city: str) -> str:
    """Activities do the work: they may read, write and call whatever they like."""
    return f"Hello {city}!"


@app.route("greetings", methods=["POST"])
@app.orchestration_client("client")
async def greetings(req: HttpRequest, client: DurableClient) -> HttpResponse:
    """Start `greet_all` with the cities of the request's body: a JSON list."""
    instance_id = await client.schedule_new_orchestration(greet_all, input=req.json())
    return client.create_check_status_response(req, instance_id)
'''

_TESTS = '''\
"""Tests on a clock of their own: a wait of 30 days takes no time here."""

from funchost.testing import EnvironmentMaker


async def test_everybody_is_greeted(funchost_env: EnvironmentMaker) -> None:
    async with funchost_env() as env:
        started = await env.client.schedule_new_orchestration("greet_all", input=["Oslo", "Lima"])
        state = await env.client.wait_for_instance_completion(started)
    assert state.output == ["Hello Oslo!", "Hello Lima!"]


async def test_a_greeting_that_fails(funchost_env: EnvironmentMaker) -> None:
    async with funchost_env(fakes={"say_hello": ValueError("no voice")}) as env:
        started = await env.client.schedule_new_orchestration("greet_all", input=["Oslo"])
        state = await env.client.wait_for_instance_completion(started)
    assert state.failure_details is not None
    assert "no voice" in state.failure_details.text
'''

_HOST = """\
{
  "$schema": "SCHEMA",
  "version": "2.0",
  "extensions": {
    "durableTask": {
      "hubName": "HUB"
    }
  }
}
"""

_LOCAL_SETTINGS = """\
{
  "IsEncrypted": false,
  "Values": {},
  "Host": {
    "LocalHttpPort": 7071
  }
}
"""

_IGNORED = """\
# The host's data and keys, and settings that are secrets
.funchost/
local.settings.json
new-keys.txt

.venv/
__pycache__/
.pytest_cache/
"""

_PYPROJECT = """\
[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
pythonpath = ["."]
testpaths = ["tests"]
"""

_DEFAULT_HUB = "MyHub"


def app_files(name: str) -> Mapping[str, str]:
    """The files by their paths. `name` is the folder's, of which the hub gets its own."""
    return {
        "function_app.py": _FUNCTION_APP,
        "host.json": _HOST.replace("HUB", hub_name(name)).replace(
            "SCHEMA", schema_path("host.json")
        ),
        schema_path("host.json"): schema_text("host.json"),
        "local.settings.json": _LOCAL_SETTINGS,
        ".gitignore": _IGNORED,
        "requirements.txt": "funchost\n",
        "requirements-dev.txt": "-r requirements.txt\npytest\npytest-asyncio\n",
        "pyproject.toml": _PYPROJECT,
        "tests/test_function_app.py": _TESTS,
    }


def hub_name(folder: str) -> str:
    """A hub's name: 3 to 45 letters and digits, a letter first."""
    words = re.findall(r"[A-Za-z0-9]+", folder)
    name = "".join(word[0].upper() + word[1:] for word in words)[:45]
    return name if len(name) >= 3 and name[0].isalpha() else _DEFAULT_HUB
