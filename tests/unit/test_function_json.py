"""Drop-in folders with a function.json."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bindings.functions import Direction
from host.functions.loader import load_app
from host.functions.model import BrokenFunction, HostFunction
from host.settings import load_settings

MakeApp = Callable[[Mapping[str, str]], Path]

ACTIVITY = {"type": "activityTrigger", "name": "name", "direction": "in"}
MANUAL = {"type": "manualTrigger", "name": "data", "direction": "in"}


def load(
    make_app: MakeApp,
    content: object,
    files: Mapping[str, str] | None = None,
    *,
    folder: str = "Hello",
    environ: Mapping[str, str] | None = None,
) -> HostFunction | BrokenFunction:
    """Load an app with this one folder."""
    text = content if isinstance(content, str) else json.dumps(content)
    scripts = {"run.py": "def main(name): return name"} if files is None else files
    app_dir = make_app(
        {
            f"{folder}/function.json": text,
            **{f"{folder}/{name}": script for name, script in scripts.items()},
        }
    )
    app = load_app(app_dir, load_settings(app_dir, environ or {}))
    all_found: list[HostFunction | BrokenFunction] = [*app.functions, *app.broken]
    (found,) = all_found
    return found


def loaded(make_app: MakeApp, content: object, files: Mapping[str, str]) -> HostFunction:
    found = load(make_app, content, files)
    assert isinstance(found, HostFunction), found
    return found


def error(make_app: MakeApp, content: object, files: Mapping[str, str] | None = None) -> str:
    found = load(make_app, content, files)
    assert isinstance(found, BrokenFunction)
    return found.error


def test_the_folder_names_the_function_and_main_is_its_entry_point(make_app: MakeApp) -> None:
    found = load(make_app, {"bindings": [ACTIVITY]})

    assert isinstance(found, HostFunction)
    assert (found.name, found.directory.name) == ("Hello", "Hello")
    assert found.declaration.function("x") == "x"


def test_script_and_entry_point_can_be_named(make_app: MakeApp) -> None:
    content = {"scriptFile": "../shared/work.py", "entryPoint": "do", "bindings": [ACTIVITY]}
    function = loaded(make_app, content, {"../shared/work.py": "def do(name): return 'done'"})
    assert function.declaration.function("x") == "done"


@pytest.mark.parametrize(
    "files",
    [
        {"anything.py": "def main(name): return 'this'"},
        {"run.py": "def main(name): return 'this'", "__init__.py": "", "other.py": ""},
        {"__init__.py": "def main(name): return 'this'", "other.py": ""},
    ],
)
def test_without_a_script_file_the_customary_one_is_run(
    make_app: MakeApp, files: Mapping[str, str]
) -> None:
    function = loaded(make_app, {"bindings": [ACTIVITY]}, files)
    assert function.declaration.function("x") == "this"


def test_a_folder_can_import_its_neighbours_relatively(make_app: MakeApp) -> None:
    function = loaded(
        make_app,
        {"bindings": [ACTIVITY]},
        {
            "__init__.py": "from .near import A\nfrom ..shared.far import B\n"
            "def main(name): return A + B",
            "near.py": "A = 'a'",
            "../shared/far.py": "B = 'b'",
        },
    )
    assert function.declaration.function("x") == "ab"


def test_everything_matches_in_any_case(make_app: MakeApp) -> None:
    content = {
        "ScriptFile": "run.py",
        "ENTRYPOINT": "go",
        "Bindings": [
            {
                "Type": "HTTPTRIGGER",
                "Name": "req",
                "Direction": "IN",
                "AuthLevel": "Anonymous",
                "Methods": ["get", "POST"],
                "Route": "hello/{name}",
            },
            {"type": "Http", "direction": "Out", "name": "$return"},
            {"type": "orchestrationclient", "direction": "OUT", "name": "starter"},
            {"type": "DURABLECLIENT", "name": "client"},
        ],
    }
    function = loaded(make_app, content, {"run.py": "def go(req, starter, client): ..."})

    trigger = function.declaration.trigger
    assert (trigger.type, trigger.name, trigger.direction) == ("httpTrigger", "req", Direction.IN)
    assert trigger.properties == {
        "authLevel": "anonymous",
        "methods": ["GET", "POST"],
        "route": "hello/{name}",
    }
    assert [(each.type, each.direction) for each in function.declaration.bindings] == [
        ("http", Direction.OUT),
        ("orchestrationClient", Direction.OUT),
        ("durableClient", Direction.IN),
    ]


def test_a_byte_order_mark_is_no_obstacle(make_app: MakeApp) -> None:
    found = load(make_app, "\ufeff" + json.dumps({"bindings": [ACTIVITY]}))
    assert isinstance(found, HostFunction)


def test_the_trigger_can_give_the_durable_name(make_app: MakeApp) -> None:
    found = load(make_app, {"bindings": [{**ACTIVITY, "activity": "Greet"}]})
    assert found.name == "Greet"


@pytest.mark.parametrize(
    ("disabled", "expected"),
    [(True, True), (False, False), ("true", True), ("OFF", True), ("%OFF%", True), ("ON", False)],
)
def test_a_function_is_disabled_by_a_truth_or_a_setting(
    make_app: MakeApp, disabled: object, expected: bool
) -> None:
    content = {"bindings": [ACTIVITY], "disabled": disabled}
    found = load(make_app, content, environ={"OFF": "1", "ON": "0"})
    assert isinstance(found, HostFunction)
    assert found.is_disabled is expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "function.json is not valid JSON"),
        ("[]", "must hold a JSON object"),
        ({}, "declares no bindings"),
        ({"bindings": []}, "declares no bindings"),
        (
            {"bindings": [ACTIVITY], "disabled": 5},
            "'disabled' in function.json must be true, false",
        ),
        ({"bindings": ["x"]}, "Binding 1 of function.json is not an object"),
        ({"bindings": [ACTIVITY, {"name": "x"}]}, "Binding 2 of function.json has no 'type'"),
        ({"bindings": [{"type": "httpTrigger"}]}, "Binding 1 of function.json has no 'name'"),
        ({"bindings": [{**ACTIVITY, "direction": "up"}]}, "has the direction 'up'"),
        ({"bindings": [{**ACTIVITY, "direction": "out"}]}, "it must be in"),
        ({"bindings": [{**ACTIVITY, "name": "$return"}]}, "which only outputs can be"),
        ({"bindings": [{**ACTIVITY, "type": "faxTrigger"}]}, "'faxTrigger' is not supported"),
        ({"bindings": [{**ACTIVITY, "type": "http", "direction": "out"}]}, "no trigger"),
        ({"bindings": [ACTIVITY, MANUAL]}, "2 triggers"),
        ({"bindings": [{**ACTIVITY, "name": "nome"}]}, "the function's parameters are (name)"),
        ({"bindings": [{**MANUAL, "name": "name"}] * 2}, "2 triggers"),
        ({"scriptFile": "none.py", "bindings": [ACTIVITY]}, "'none.py' does not exist"),
        ({"scriptFile": "function.json", "bindings": [ACTIVITY]}, "is not a Python file"),
        ({"scriptFile": 5, "bindings": [ACTIVITY]}, "'scriptFile' in function.json must be a text"),
        ({"entryPoint": "nope", "bindings": [ACTIVITY]}, "run.py has no function 'nope'"),
    ],
)
def test_what_is_wrong_is_said(make_app: MakeApp, content: object, message: str) -> None:
    assert message in error(make_app, content)


def test_a_folder_with_several_scripts_must_name_one(make_app: MakeApp) -> None:
    files = {"a.py": "", "b.py": ""}
    assert "add a 'scriptFile'" in error(make_app, {"bindings": [ACTIVITY]}, files)


def test_a_reserved_route_is_refused(make_app: MakeApp) -> None:
    content = {"bindings": [{"type": "httpTrigger", "name": "name", "route": "Runtime/x"}]}
    assert "belong to the host" in error(make_app, content)


@pytest.mark.parametrize("folder", ["1st", "host", "a b"])
def test_a_folder_that_cannot_be_a_name_is_broken(make_app: MakeApp, folder: str) -> None:
    found = load(make_app, {"bindings": [ACTIVITY]}, folder=folder)
    assert isinstance(found, BrokenFunction)
    assert "cannot be a function's name" in found.error


def test_a_script_that_raises_is_broken_with_its_traceback(make_app: MakeApp) -> None:
    found = load(make_app, {"bindings": [ACTIVITY]}, {"run.py": "x = 1\nx.y()\n"})
    assert isinstance(found, BrokenFunction)
    assert found.error == "AttributeError: 'int' object has no attribute 'y'"
    assert "line 2" in found.traceback


def test_one_broken_folder_does_not_hide_the_others(make_app: MakeApp) -> None:
    app_dir = make_app(
        {
            "Bad/function.json": "{",
            "Good/function.json": json.dumps({"bindings": [ACTIVITY]}),
            "Good/run.py": "def main(name): ...",
            "NoFunction/readme.txt": "a folder without function.json is nothing",
        }
    )

    app = load_app(app_dir, load_settings(app_dir, {}))

    assert [function.name for function in app.functions] == ["Good"]
    assert [function.name for function in app.broken] == ["Bad"]


def test_functions_of_one_script_share_its_module(make_app: MakeApp) -> None:
    content = {"scriptFile": "../shared.py", "bindings": [ACTIVITY]}
    app_dir = make_app(
        {
            "shared.py": "def main(name): ...\ndef other(name): return main",
            "One/function.json": json.dumps(content),
            "Two/function.json": json.dumps({**content, "entryPoint": "other"}),
        }
    )

    one, two = load_app(app_dir, load_settings(app_dir, {})).functions

    assert two.declaration.function("x") is one.declaration.function


def test_loading_again_runs_the_modules_again(make_app: MakeApp) -> None:
    content = {"bindings": [ACTIVITY]}
    before = loaded(make_app, content, {"run.py": "def main(name): return 'before'"})
    after = loaded(make_app, content, {"run.py": "def main(name): return 'and after'"})

    assert before.declaration.function("x") == "before"
    assert after.declaration.function("x") == "and after"


@pytest.mark.parametrize(
    "text",
    [
        '// ours\n{"bindings": [{"type": "activityTrigger", "name": "x"}]}',
        '{"bindings": [{"type": "activityTrigger", /* the // name */ "name": "x"}]} // end',
        '\ufeff{"bindings": [{"type": "activityTrigger", "name": "x"}]}',
        '{"bindings": [{"type": "activityTrigger", "name": "x", "note": "a // b /* c */ ,}"}]}',
    ],
)
def test_found_c7_comments_are_no_errors(make_app: MakeApp, text: str) -> None:
    function = loaded(make_app, text, {"run.py": "def main(x): return x"})
    note = function.declaration.trigger.properties.get("note")
    assert note in {None, "a // b /* c */ ,}"}


@pytest.mark.parametrize("text", ['{"bindings": [} // x', '{"bindings": /* [] }', "{,}"])
def test_found_c7_what_is_no_json_without_comments_is_none_with_them(
    make_app: MakeApp, text: str
) -> None:
    broken = load(make_app, text)
    assert isinstance(broken, BrokenFunction)
    assert "is not valid JSON" in broken.error
