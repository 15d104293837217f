"""The same app by decorators and by function.json, served and used over HTTP: no difference."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from host.app import running_host
from host.wiring.options import HostOptions, read_settings
from tests.kit.app_folders import make_app

__all__ = ["make_app"]

WEBHOOKS = "/runtime/webhooks/durabletask"

BODIES = """
    from datetime import timedelta
    from bindings import *

    async def sequence(context: OrchestrationContext, names: list[str]) -> list[str]:
        first = await context.call_activity("SayHello", names[0])
        await context.create_timer(timedelta(milliseconds=1))
        rest = await when_all([context.call_activity("SayHello", name) for name in names[1:]])
        return [first, *rest, await context.wait_for_external_event("Last", str)]

    def say_hello(name: str) -> str:
        if name == "nobody":
            raise ValueError("Nobody is there.")
        return f"Hello {name}!"

    async def start(req: HttpRequest, client: DurableClient) -> HttpResponse:
        id_ = await client.schedule_new_orchestration(req.route_params["name"], input=req.json())
        return client.create_check_status_response(req, id_)

    def by_hand(id: str) -> list:
        return [{"functionname": "Sequence", "INPUT": ["by", "hand"], "InstanceId": id}]
"""

BY_DECORATORS = {
    "bodies.py": BODIES,
    "function_app.py": """
        import bodies
        from bindings import FunctionApp

        app = FunctionApp()
        app.orchestration_trigger(orchestration="Sequence")(bodies.sequence)
        app.activity_trigger(activity="SayHello")(bodies.say_hello)
        app.function_name("Start")(
            app.route("start/{name}", methods=["POST"])(
                app.orchestration_client("client")(bodies.start)
            )
        )
        app.function_name("ByHand")(
            app.generic_output_binding("$return", "orchestrationClient")(
                app.generic_trigger("id", "manualTrigger")(bodies.by_hand)
            )
        )
    """,
}


def folder(name: str, entry_point: str, *bindings: str) -> dict[str, str]:
    head = f'"scriptFile": "../bodies.py", "entryPoint": "{entry_point}"'
    return {f"{name}/function.json": f'{{{head}, "bindings": [{", ".join(bindings)}]}}'}


BY_FOLDERS = {
    "bodies.py": BODIES,
    **folder("Sequence", "sequence", '{"type": "orchestrationTrigger", "name": "context"}'),
    **folder("SayHello", "say_hello", '{"type": "ActivityTrigger", "name": "name"}'),
    **folder(
        "Start",
        "start",
        '{"type": "httptrigger", "name": "req", "route": "start/{name}", "methods": ["post"]}',
        '{"type": "orchestrationClient", "name": "client", "direction": "in"}',
        '{"type": "http", "direction": "out", "name": "$return"}',
    ),
    **folder(
        "ByHand",
        "by_hand",
        '{"type": "manualTrigger", "name": "id"}',
        '{"type": "orchestrationClient", "direction": "out", "name": "$return"}',
    ),
}


@pytest.fixture(params=[BY_DECORATORS, BY_FOLDERS], ids=["decorators", "function.json"])
async def http(
    request: pytest.FixtureRequest, make_app: Callable[[Mapping[str, str]], Path]
) -> AsyncIterator[aiohttp.ClientSession]:
    options = HostOptions(app_dir=make_app(request.param), port=0, storage="memory")
    async with running_host(options, read_settings(options)) as host:
        assert host.app.broken == ()
        async with aiohttp.ClientSession(host.url) as session:
            yield session


async def finished(http: aiohttp.ClientSession, instance_id: str) -> dict[str, Any]:
    """The status of an instance once it waits no more; each answer is awaited, not polled for."""
    url = f"{WEBHOOKS}/instances/{instance_id}"
    while True:
        async with http.get(url) as answer:
            status: dict[str, Any] = await answer.json()
            if answer.status == 200:
                return status


async def test_an_http_start_leads_to_the_same_result(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/start/Sequence", json=["Oslo", "Lima", "Rome"]) as answer:
        assert answer.status == 202
        instance_id = (await answer.json())["id"]
    url = f"{WEBHOOKS}/instances/{instance_id}/raiseEvent/LAST"
    async with http.post(url, json="Bye!") as answer:
        assert answer.status == 202

    status = await finished(http, instance_id)

    assert (status["name"], status["runtimeStatus"]) == ("Sequence", "Completed")
    assert status["output"] == ["Hello Oslo!", "Hello Lima!", "Hello Rome!", "Bye!"]


async def test_a_failure_reads_the_same(http: aiohttp.ClientSession) -> None:
    async with http.post(f"{WEBHOOKS}/orchestrators/sequence/f", json=["nobody"]) as answer:
        assert answer.status == 202

    status = await finished(http, "f")

    assert status["runtimeStatus"] == "Failed"
    assert status["output"] == (
        "Orchestrator function 'Sequence' failed: "
        "Activity function 'SayHello' failed: Nobody is there."
    )


async def test_a_manual_start_reaches_the_orchestration_client(
    http: aiohttp.ClientSession,
) -> None:
    async with http.post("/admin/functions/ByHand", json={"input": "my-id"}) as answer:
        assert answer.status == 202
    raised = 404  # until the start, which nobody waits for, has happened
    while raised == 404:
        async with http.post(f"{WEBHOOKS}/instances/my-id/raiseEvent/last", json="x") as answer:
            raised = answer.status

    status = await finished(http, "my-id")

    assert raised == 202
    assert status["output"] == ["Hello by!", "Hello hand!", "x"]
