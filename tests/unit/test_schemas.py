"""`funchost schema`: what editors take and refuse, and that the host agrees with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bindings.kinds.registry import KINDS
from host.cli.main import main
from host.settings import load_settings
from tests.kit.cli_runner import cli_runner

ROOT = Path(__file__).parents[2]
TIMER = {"type": "timerTrigger", "name": "timer", "schedule": "0 * * * * *"}
RETRY = {"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:05"}
HTTP = {"type": "httpTrigger", "name": "req", "direction": "in", "methods": ["get"]}


def schema(file: str) -> Any:
    result = cli_runner().invoke(main, ["schema", file])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    jsonschema.Draft7Validator.check_schema(found)
    return found


def is_valid(found: Any, document: Any) -> bool:
    return bool(jsonschema.Draft7Validator(found).is_valid(document))


def test_every_function_json_of_the_samples_is_valid() -> None:
    found = schema("function.json")
    files = sorted((ROOT / "samples").rglob("function.json"))
    assert files
    for file in files:
        jsonschema.Draft7Validator(found).validate(json.loads(file.read_text()))


@pytest.mark.parametrize(
    "bindings",
    [
        [TIMER],
        [{**TIMER, "useMonitor": "%MONITORED%", "runOnStartup": True}],
        [HTTP, {"type": "http", "name": "$return", "direction": "out"}],
    ],
)
def test_what_the_host_takes_is_valid(bindings: list[Any]) -> None:
    assert is_valid(schema("function.json"), {"bindings": bindings})


@pytest.mark.parametrize(
    "bindings",
    [
        [],
        [{"type": "http", "name": "$return", "direction": "out"}],
        [{"type": "timerTriger", "name": "timer"}],
        [{"type": "timerTrigger"}],
        [{**TIMER, "useMonitor": "perhaps"}],
        [{**TIMER, "direction": "out"}],
        [{**HTTP, "methods": [1]}],
        [{**HTTP, "authLevel": "nobody"}],
    ],
)
def test_what_the_host_refuses_is_not(bindings: list[Any]) -> None:
    assert not is_valid(schema("function.json"), {"bindings": bindings})


def test_every_kind_says_what_its_properties_are() -> None:
    for kind in KINDS.all_kinds():
        jsonschema.Draft7Validator.check_schema(kind.schema)


@pytest.mark.parametrize(
    ("document", "is_right"),
    [
        ({"version": "2.0"}, True),
        ({"version": "2.0", "functionTimeout": "00:05:00", "extensionBundle": {"id": "x"}}, True),
        ({"version": "2.0", "functionTimeout": "-1"}, True),
        ({"version": "2.0", "logging": {"logLevel": {"default": "Debug", "a.b": "None"}}}, True),
        ({"version": "2.0", "funchost": {"watchdog": {"reportAfterSeconds": -1}}}, True),
        ({"version": "2.0", "retry": RETRY}, True),
        ({"version": "2.0", "retry": {**RETRY, "delayInterval": "5 s"}}, False),
        ({"version": "2.0", "retry": {**RETRY, "maximumInterval": "00:00:05"}}, False),
        ({"version": "1.0"}, False),
        ({}, False),
        ({"version": "2.0", "functionTimeout": "5 minutes"}, False),
        ({"version": "2.0", "logging": {"logLevel": {"default": "Loud"}}}, False),
        ({"version": "2.0", "extensions": {"http": {"routePrefix": 1}}}, False),
        ({"version": "2.0", "funchost": {"stopGraceSeconds": -1}}, False),
    ],
)
def test_a_host_json_is_judged_as_the_host_does(
    tmp_path: Path, document: Any, is_right: bool
) -> None:
    assert is_valid(schema("host.json"), document) is is_right
    (tmp_path / "host.json").write_text(json.dumps(document))
    try:
        load_settings(tmp_path, {})
    except Exception as error:  # noqa: BLE001 - whatever it is, it was refused
        assert not is_right, error
    else:
        assert is_right


def test_new_files_name_schemas_that_are_there(tmp_path: Path) -> None:
    app = tmp_path / "shop"
    for words in (["init", str(app)], ["new", "timer", "tick", "--folder", "--app", str(app)]):
        assert cli_runner().invoke(main, words).exit_code == 0
    for file in (app / "host.json", app / "tick" / "function.json"):
        document = json.loads(file.read_text())
        named = json.loads((file.parent / document["$schema"]).resolve().read_text())
        jsonschema.Draft7Validator(named).validate(document)
