"""The same functions by decorators and by function.json folders behave the same."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bindings.functions import Binding
from host.core.converter import Converter
from host.functions.catalog import Catalog
from host.functions.loader import load_app
from host.functions.model import App
from host.settings import load_settings

MakeApp = Callable[[Mapping[str, str]], Path]

BODIES = """
    from __future__ import annotations
    from dataclasses import dataclass
    from bindings import *

    @dataclass
    class City:
        name: str

    def sequence(context: OrchestrationContext):
        tokyo = yield context.call_activity("Greet", "Tokyo")
        return [tokyo]

    async def typed(context: OrchestrationContext, city: City) -> City:
        return city

    def greet(city: City) -> str:
        return f"Hello {city.name}!"

    async def add(a: int, b: int = 1) -> int:
        return a + b

    async def start(req: HttpRequest, client: DurableClient) -> HttpResponse:
        return HttpResponse("started")

    def manual(data: str) -> dict[str, str]:
        return {"FunctionName": "Sequence", "Input": data}
"""

DECORATED = {
    "bodies.py": BODIES,
    "function_app.py": """
        from bindings import FunctionApp
        import bodies

        app = FunctionApp()
        app.function_name("Sequence")(app.orchestration_trigger()(bodies.sequence))
        app.function_name("Typed")(app.orchestration_trigger()(bodies.typed))
        app.function_name("Greet")(app.activity_trigger()(bodies.greet))
        app.function_name("Add")(app.activity_trigger()(bodies.add))
        app.function_name("Start")(
            app.route("go/{id:int}", methods=["POST"])(app.orchestration_client()(bodies.start))
        )
        app.function_name("Manual")(bodies.manual)
        app.generic_trigger("data", "manualTrigger")(bodies.manual)
        app.generic_output_binding("$return", "orchestrationClient")(bodies.manual)
    """,
}


def folder(name: str, entry_point: str, bindings: str) -> dict[str, str]:
    script = '"scriptFile": "../bodies.py"'
    return {
        f"{name}/function.json": (
            f'{{{script}, "entryPoint": "{entry_point}", "bindings": [{bindings}]}}'
        )
    }


FOLDERS = {
    "bodies.py": BODIES,
    **folder("Sequence", "sequence", '{"type": "ORCHESTRATIONTRIGGER", "name": "context"}'),
    **folder("Typed", "typed", '{"type": "orchestrationTrigger", "name": "context"}'),
    **folder("Greet", "greet", '{"type": "activitytrigger", "direction": "in", "name": "city"}'),
    **folder("Add", "add", '{"type": "activityTrigger", "name": "a"}'),
    **folder(
        "Start",
        "start",
        '{"type": "HttpTrigger", "name": "req", "route": "go/{id:int}", "methods": ["post"]},'
        '{"type": "orchestrationClient", "name": "client"},'
        '{"type": "http", "direction": "out", "name": "$return"}',
    ),
    **folder(
        "Manual",
        "manual",
        '{"type": "manualTrigger", "name": "data"},'
        '{"type": "OrchestrationClient", "direction": "OUT", "name": "$return"}',
    ),
}


@pytest.fixture(params=[DECORATED, FOLDERS], ids=["decorators", "function.json"])
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> App:
    app_dir = make_app(request.param)
    loaded = load_app(app_dir, load_settings(app_dir, {}))
    assert loaded.broken == ()
    return loaded


def test_the_declarations_are_the_same(app: App) -> None:
    def shown(binding: Binding) -> tuple[str, str, str, dict[str, object]]:
        return binding.type, binding.direction, binding.name, dict(binding.properties)

    assert {each.name: shown(each.declaration.trigger) for each in app.functions} == {
        "Sequence": ("orchestrationTrigger", "in", "context", {}),
        "Typed": ("orchestrationTrigger", "in", "context", {}),
        "Greet": ("activityTrigger", "in", "city", {}),
        "Add": ("activityTrigger", "in", "a", {}),
        "Start": (
            "httpTrigger",
            "in",
            "req",
            {"route": "go/{id:int}", "methods": ["POST"], "authLevel": "function"},
        ),
        "Manual": ("manualTrigger", "in", "data", {}),
    }
    assert {
        each.name: [shown(binding) for binding in each.declaration.bindings]
        for each in app.functions
        if each.declaration.bindings
    } == {
        "Start": [
            ("orchestrationClient", "in", "client", {}),
            ("http", "out", "$return", {}),
        ],
        "Manual": [("orchestrationClient", "out", "$return", {})],
    }


async def test_the_activities_behave_the_same(app: App) -> None:
    catalog = Catalog(app, Converter())

    greet, add = catalog.activity("GREET"), catalog.activity("Add")

    assert greet is not None
    assert greet.run_in_thread is not None
    assert greet.run_in_thread('{"name": "Tokyo"}') == '"Hello Tokyo!"'
    assert greet.result_type is str
    assert add is not None
    assert add.run is not None
    assert [await add.run("[1, 2]"), await add.run('{"a": 5}')] == ["3", "6"]
    first = app.functions[0]
    assert catalog.name_of(first.declaration.function, first.role) == app.functions[0].name


def test_the_orchestrators_are_the_same(app: App) -> None:
    catalog = Catalog(app, Converter())

    typed = catalog.orchestrator("Typed")

    assert catalog.orchestrator_names() == ["Sequence", "Typed"]
    assert typed is not None
    assert typed.result_type.__name__ == "City"
