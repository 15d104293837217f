"""Loading an app: function_app.py, included folders, broken functions, names, switches."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from host.functions.loader import load_app
from host.functions.model import App
from host.settings import load_settings

MakeApp = Callable[[Mapping[str, str]], Path]

HELLO = """
    from bindings import FunctionApp

    app = FunctionApp()

    @app.activity_trigger()
    def hello(name: str) -> str:
        return name
"""


def load(app_dir: Path, environ: Mapping[str, str] | None = None) -> App:
    return load_app(app_dir, load_settings(app_dir, environ or {}))


def names(app: App) -> list[str]:
    return [function.name for function in app.functions]


def test_the_functions_of_function_app_are_loaded(make_app: MakeApp) -> None:
    app_dir = make_app({"function_app.py": HELLO})

    app = load(app_dir)

    (function,) = app.functions
    assert (function.name, function.directory, function.is_disabled) == ("hello", app_dir, False)
    assert function.declaration.function("Tokyo") == "Tokyo"
    assert app.broken == ()


def test_an_empty_folder_is_an_app_without_functions(make_app: MakeApp) -> None:
    app = load(make_app({}))
    assert (app.functions, app.broken) == ((), ())


def test_modules_of_the_app_folder_are_imported_plainly_or_relatively(make_app: MakeApp) -> None:
    blueprint = """
        from bindings import Blueprint

        {name} = Blueprint()

        @{name}.activity_trigger()
        def from_{name}() -> None: ...
    """
    app_dir = make_app(
        {
            "plain.py": blueprint.format(name="plain"),
            "relative.py": blueprint.format(name="relative"),
            "function_app.py": """
                from bindings import FunctionApp
                from plain import plain
                from .relative import relative

                app = FunctionApp()
                app.register_functions(plain)
                app.register_functions(relative)
            """,
        }
    )

    app = load(app_dir)

    assert app.broken == ()
    assert names(app) == ["from_plain", "from_relative"]
    assert sys.path[0] == str(app_dir)


def test_an_import_of_function_app_gives_the_loaded_module(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "function_app.py": """
                from bindings import FunctionApp

                app = FunctionApp()
                import more
            """,
            "more.py": """
                from function_app import app

                @app.activity_trigger()
                def more() -> None: ...
            """,
        }
    )

    assert names(load(app_dir)) == ["more"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("x = 1", "has no FunctionApp"),
        (
            "from bindings import FunctionApp\none = FunctionApp()\ntwo = FunctionApp()",
            "several FunctionApps (one, two)",
        ),
    ],
)
def test_function_app_holds_exactly_one_app(make_app: MakeApp, source: str, error: str) -> None:
    (broken,) = load(make_app({"function_app.py": source})).broken

    assert broken.name == "function_app"
    assert error in broken.error


def test_one_app_under_two_names_is_one_app(make_app: MakeApp) -> None:
    app_dir = make_app({"function_app.py": HELLO + "\n    application = app\n"})
    assert names(load(app_dir)) == ["hello"]


@pytest.mark.parametrize(
    ("source", "error", "in_traceback"),
    [
        (
            "import no_such_module",
            "ModuleNotFoundError: No module named 'no_such_module'",
            "line 1",
        ),
        ("x = 1\nx(", "SyntaxError: '(' was never closed (function_app.py, line 2)", "x("),
        ("import sys\nsys.exit(3)", "SystemExit: 3", "sys.exit(3)"),
        ("raise ValueError('a\\nb')", "ValueError: a", "ValueError: a\nb"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "raise KeyboardInterrupt"),
        (
            "import asyncio\nraise asyncio.CancelledError('x')",
            "CancelledError: x",
            "raise asyncio.CancelledError",
        ),
    ],
)
def test_a_module_that_raises_is_broken_with_its_traceback(
    make_app: MakeApp, source: str, error: str, in_traceback: str
) -> None:
    (broken,) = load(make_app({"function_app.py": source})).broken

    assert broken.error == error
    assert in_traceback in broken.traceback
    assert "importlib" not in broken.traceback
    assert "modules.py" not in broken.traceback


def test_a_bad_function_is_broken_and_the_others_run(make_app: MakeApp) -> None:
    bad = """
    @app.route("admin/x")
    def bad(req): ...
    """
    app = load(make_app({"function_app.py": HELLO + bad}))

    assert names(app) == ["hello"]
    assert [(each.name, "belong to the host" in each.error) for each in app.broken] == [
        ("bad", True)
    ]


def test_the_second_function_of_a_name_is_broken(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "function_app.py": HELLO,
            "HELLO/function.json": '{"bindings": [{"type": "activityTrigger", "name": "name"}]}',
            "HELLO/run.py": "def main(name): return name",
        }
    )

    app = load(app_dir)

    assert names(app) == ["hello"]
    (broken,) = app.broken
    assert (broken.name, broken.directory) == ("HELLO", app_dir / "HELLO")
    assert "Another function is named 'hello'" in broken.error


VERSIONED = """
    from bindings import FunctionApp

    app = FunctionApp()

    @app.orchestration_trigger(orchestration="order")
    async def of_old(context): ...

    @app.orchestration_trigger(orchestration="Order", version="%ORDERS%")
    async def order(context): ...
"""
DROPPED_IN = """
    {"bindings": [
        {"type": "orchestrationTrigger", "name": "context", "orchestration": "order",
         "version": "VERSION"}
    ]}
"""
MAIN = "async def main(context): ..."


def test_functions_of_one_name_are_told_apart_by_their_versions(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "function_app.py": VERSIONED,
            "three/function.json": DROPPED_IN.replace("VERSION", "3"),
            "three/run.py": MAIN,
        }
    )
    app = load(app_dir, {"ORDERS": "2"})
    assert app.broken == ()
    assert [each.label for each in app.functions] == [
        "order",
        "Order (version 2)",
        "order (version 3)",
    ]


def test_the_second_function_of_a_name_and_version_is_broken(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "function_app.py": VERSIONED,
            "two/function.json": DROPPED_IN.replace("VERSION", "2"),
            "two/run.py": MAIN,
        }
    )
    app = load(app_dir, {"ORDERS": "2"})
    (broken,) = app.broken
    assert "Another function is named 'Order (version 2)'" in broken.error


def test_a_version_tells_nothing_else_than_orchestrators_apart(make_app: MakeApp) -> None:
    activity = """

    @app.activity_trigger(activity="order")
    def orders() -> None: ...
    """
    app = load(make_app({"function_app.py": VERSIONED + activity}), {"ORDERS": "2"})
    (broken,) = app.broken
    assert "Another function has the name 'order'" in broken.error


@pytest.mark.parametrize("version", ['""', "2", f'"{"v" * 1025}"'])
def test_a_version_is_a_text_that_fits_into_a_row(make_app: MakeApp, version: str) -> None:
    source = VERSIONED.replace('"%ORDERS%"', version)
    (broken,) = load(make_app({"function_app.py": source})).broken
    assert "The version of an orchestrator is a text of 1 to 1024 characters" in broken.error


def test_included_folders_are_app_folders_of_the_same_app(make_app: MakeApp) -> None:
    function_app = """
        from bindings import FunctionApp
        from shared import NAME

        app = FunctionApp()

        @app.function_name(NAME)
        @app.activity_trigger()
        def activity() -> str:
            return NAME
    """
    app_dir = make_app(
        {
            "host.json": '{"version": "2.0", "funchost": {"include": ["samples/*", "samples/b"]}}',
            "function_app.py": function_app,
            "shared.py": "NAME = 'main'",
            "samples/a/function_app.py": function_app,
            "samples/a/shared.py": "NAME = 'a'",
            "samples/b/function_app.py": function_app,
            "samples/b/shared.py": "NAME = 'b'",
            "samples/c/Drop/function.json": """
                {"bindings": [{"type": "activityTrigger", "name": "x"}]}
            """,
            "samples/c/Drop/run.py": "from helper import main",
            "samples/c/helper.py": "def main(x): return x",
            "samples/README.md": "no folder",
        }
    )

    app = load(app_dir)

    assert app.broken == ()
    assert names(app) == ["main", "a", "b", "Drop"]
    assert [each.declaration.function() for each in app.functions[:3]] == ["main", "a", "b"]
    assert sys.path[0] == str(app_dir)
    assert sys.modules["shared"].NAME == "main"


def test_a_broken_included_folder_is_told_from_the_app_itself(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "host.json": '{"version": "2.0", "funchost": {"include": ["samples/*"]}}',
            "function_app.py": HELLO,
            "samples/saga/function_app.py": "1 / 0",
        }
    )

    app = load(app_dir)

    assert names(app) == ["hello"]
    assert [(each.name, each.directory) for each in app.broken] == [
        ("saga.function_app", app_dir / "samples/saga")
    ]


def test_host_json_restricts_which_functions_are_loaded(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "host.json": '{"version": "2.0", "functions": ["HELLO"]}',
            "function_app.py": HELLO
            + """
    @app.activity_trigger()
    def unwanted() -> None: ...
            """,
            "Other/function.json": '{"bindings": [{"type": "activityTrigger", "name": "x"}]}',
            "Other/run.py": "raise RuntimeError('never run')",
        }
    )

    app = load(app_dir)

    assert names(app) == ["hello"]
    assert app.broken == ()


def test_an_app_setting_disables_a_function(make_app: MakeApp) -> None:
    app = load(make_app({"function_app.py": HELLO}), {"AzureWebJobs.hello.Disabled": "true"})
    assert [function.is_disabled for function in app.functions] == [True]


def test_app_settings_stand_in_bindings(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "local.settings.json": '{"IsEncrypted": false, "Values": {"PLACE": "whole/{id}"}}',
            "Get/function.json": """
                {"bindings": [
                    {"type": "httpTrigger", "direction": "in", "name": "req", "route": "%PLACE%"},
                    {"type": "http", "direction": "out", "name": "$return"}
                ]}
            """,
            "Get/__init__.py": "def main(req): return 'here'",
            "Lost/function.json": """
                {"bindings": [
                    {"type": "httpTrigger", "direction": "in", "name": "req", "route": "%NOSUCH%"}
                ]}
            """,
            "Lost/__init__.py": "def main(req): return 'here'",
        }
    )

    app = load_app(app_dir, load_settings(app_dir, {}))

    (get,) = app.functions
    assert get.declaration.trigger.properties["route"] == "whole/{id}"
    (lost,) = app.broken
    assert "'NOSUCH' is missing" in lost.error
    assert get.shown_bindings[0].properties["route"] == "%PLACE%"


@pytest.mark.parametrize("left", ["a link", "a folder"])
def test_a_function_app_that_is_no_file_is_broken(make_app: MakeApp, left: str) -> None:
    app_dir = make_app({})
    if left == "a link":
        (app_dir / "function_app.py").symlink_to("nowhere.py")
    else:
        (app_dir / "function_app.py").mkdir()
    (broken,) = load(app_dir).broken
    assert broken.is_module
    assert "put the file there, or remove it" in broken.error


def test_a_function_json_that_is_a_link_to_nothing_is_broken(make_app: MakeApp) -> None:
    app_dir = make_app({"job/run.py": "def main(name: str): ..."})
    (app_dir / "job" / "function.json").symlink_to("nowhere.json")
    (broken,) = load(app_dir).broken
    assert (broken.name, "is a link that leads nowhere" in broken.error) == ("job", True)
