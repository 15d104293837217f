"""Files of an app that would have broken the reader itself: each is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from host.errors import ConfigurationError
from host.functions.loader import load_app
from host.http.route_constraints import RouteTemplateError
from host.http.route_templates import parse_template
from host.settings import load_settings

MakeApp = Callable[[Mapping[str, str]], Path]

HOST = {"version": "2.0"}


@pytest.mark.parametrize(
    "content",
    [
        '{"version":"2.0","x":' + "[" * 900 + "]" * 900 + "}",
        '{"version":"2.0","extensions":{"durableTask":{"hubName":"\\ud800"}}}',
        '{"version":"2.0","\\udc00":1}',
    ],
    ids=["nested deeply", "half a character", "half a character as a name"],
)
def test_a_host_json_that_no_parser_can_read_again_is_refused(
    make_app: MakeApp, content: str
) -> None:
    app_dir = make_app({"host.json": content})
    with pytest.raises(ConfigurationError, match=r"host\.json is not valid JSON"):
        load_settings(app_dir, {})


def test_a_function_json_with_half_a_character_breaks_its_function_alone(
    make_app: MakeApp,
) -> None:
    content = '{"bindings":[{"type":"httpTrigger","name":"req","route":"\\ud800"}]}'
    app_dir = make_app({"Bad/function.json": content, "Bad/run.py": "def main(req): return ''"})
    app = load_app(app_dir, load_settings(app_dir, {}))
    assert not app.functions
    assert "function.json is not valid JSON" in app.broken[0].error


def test_a_name_of_digits_without_end_is_no_index_of_a_list(make_app: MakeApp) -> None:
    digits = "9" * 5000
    app_dir = make_app({"host.json": json.dumps({**HOST, "x": {digits: 1}})})
    environ = {f"AzureFunctionsJobHost__x__{digits}": "2"}
    assert load_settings(app_dir, environ).version == "2.0"


@pytest.mark.parametrize("pattern", [".", "./", "x" * 300])
def test_a_folder_to_include_that_cannot_be_one_is_refused(make_app: MakeApp, pattern: str) -> None:
    app_dir = make_app({"host.json": json.dumps({**HOST, "funchost": {"include": [pattern]}})})
    with pytest.raises(ConfigurationError, match="include"):
        load_app(app_dir, load_settings(app_dir, {}))


@pytest.mark.parametrize("name", ["a\0.py", "x" * 300 + ".py", "x" * 5000, "loop.py"])
def test_a_script_that_cannot_be_a_file_breaks_its_function_alone(
    make_app: MakeApp, name: str
) -> None:
    binding = {"type": "activityTrigger", "name": "x"}
    app_dir = make_app(
        {
            "Bad/function.json": json.dumps({"scriptFile": name, "bindings": [binding]}),
            "Good/function.json": json.dumps({"bindings": [binding]}),
            "Good/run.py": "def main(x): return x",
        }
    )
    (app_dir / "Bad" / "loop.py").symlink_to("loop.py")
    app = load_app(app_dir, load_settings(app_dir, {}))
    assert [each.name for each in app.functions] == ["Good"]
    assert "scriptFile" in app.broken[0].error


@pytest.mark.parametrize(
    "pattern",
    ["a{{99999999999999999999}}", "a{{1,99999999999999999999}}", "a{{2,1}}", "(?P<a", "["],
)
def test_a_regular_expression_that_cannot_be_is_refused(pattern: str) -> None:
    with pytest.raises(RouteTemplateError):
        parse_template(f"{{id:regex({pattern})}}")
