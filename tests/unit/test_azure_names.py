"""Who brings an app over from Azure reads at each of its names what to write here."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

import funchost
from bindings import azure_names
from bindings.app import Blueprint, FunctionApp
from bindings.client import DurableClient
from bindings.context import OrchestrationContext
from bindings.streams import StreamingResponse
from host.core.converter import Converter
from host.core.replay.context import ReplayContext
from host.engine.client import HubClient
from host.functions.loader import load_app
from host.functions.model import App
from host.http.functions.response_fields import FunctionResponseError
from host.http.functions.responses import render
from host.settings import load_settings

PAGE = Path(__file__).parents[2] / "docs/how-to/come-from-azure.md"
TABLES = (azure_names.MODULE, azure_names.CONTEXT, azure_names.CLIENT, azure_names.APP)
OF_SERVICES = re.compile(r".+_(?:input|output|trigger)|InputStream|Document|\w*Event|\w*Message")
"""What the page tells of by the names of the services."""

MakeApp = Callable[[Mapping[str, str]], Path]

AZURE = {
    "azure/__init__.py": "",
    "azure/functions/__init__.py": """
class FunctionApp: pass
class Blueprint: pass
class HttpRequest: pass
class HttpResponse: pass
class TimerRequest: pass
for each in (FunctionApp, Blueprint, HttpRequest, HttpResponse, TimerRequest):
    each.__module__ = "azure.functions._some"
""",
    "azure/durable_functions/__init__.py": """
class DFApp: pass
class DurableOrchestrationContext: pass
class Orchestrator:
    @staticmethod
    def create(function):
        def handle(context): return context
        handle.__module__ = "azure.durable_functions.orchestrator"
        return handle
""",
}


def context() -> Any:
    return ReplayContext.__new__(ReplayContext)


def client() -> Any:
    return HubClient.__new__(HubClient)


HOLDERS: tuple[tuple[Any, str, Mapping[str, str]], ...] = (
    (funchost, "module 'funchost'", azure_names.MODULE),
    (client(), "'DurableClient' object", azure_names.CLIENT),
    (FunctionApp(), "'FunctionApp' object", azure_names.APP),
    (Blueprint(), "'Blueprint' object", azure_names.APP),
)
CASES = [(*each[:2], name, hint) for each in HOLDERS for name, hint in each[2].items()]


@pytest.mark.parametrize(
    ("holder", "shown", "name", "hint"), CASES, ids=[f"{each[1]}-{each[2]}" for each in CASES]
)
def test_a_name_of_azures_says_what_to_write_here(
    holder: Any, shown: str, name: str, hint: str
) -> None:
    with pytest.raises(AttributeError) as raised:
        getattr(holder, name)
    assert str(raised.value) == f"{shown} has no attribute '{name}': {hint}."
    assert raised.value.name == name
    assert not hasattr(holder, name)
    assert name not in dir(holder)


@pytest.mark.parametrize("name", sorted({name for table in TABLES for name in table}))
def test_the_page_for_who_comes_from_azure_has_the_name(name: str) -> None:
    assert OF_SERVICES.fullmatch(name) or re.search(rf"\b{name}\b", PAGE.read_text())


def test_what_a_hint_tells_to_use_is_here() -> None:
    public = (funchost, OrchestrationContext, DurableClient, FunctionApp)
    for table, holder in zip(TABLES, public, strict=True):
        for hint in table.values():
            for name in re.findall(r"^use (\w+)", hint):
                assert hasattr(holder, name) or hasattr(funchost, name), hint


@pytest.mark.parametrize(("holder", "shown", "hints"), HOLDERS)
def test_any_other_name_is_missing_as_ever(
    holder: Any, shown: str, hints: Mapping[str, str]
) -> None:
    with pytest.raises(AttributeError, match=f"{shown} has no attribute 'nonsense'$"):
        _ = holder.nonsense
    assert getattr(holder, "__deepcopy__", None) is None


def test_copies_and_pickles_of_an_app_are_not_disturbed() -> None:
    assert isinstance(copy.copy(FunctionApp()), FunctionApp)
    assert isinstance(copy.deepcopy(Blueprint()), Blueprint)
    assert isinstance(pickle.loads(pickle.dumps(FunctionApp())), FunctionApp)
    assert isinstance(copy.copy(client()), DurableClient)
    assert isinstance(copy.copy(context()), OrchestrationContext)


def test_messages_name_the_documented_classes() -> None:
    with pytest.raises(TypeError, match=r"^OrchestrationContext\.call_activity\(\)"):
        context().call_activity(1, nonsense=1)
    with pytest.raises(TypeError, match=r"^DurableClient\.raise_event\(\)"):
        client().raise_event()
    assert type(context()).__name__ == "OrchestrationContext"
    assert type(client()).__name__ == "DurableClient"


def test_the_third_argument_of_a_sub_orchestration_is_its_id_by_name() -> None:
    with pytest.raises(TypeError, match=r"orchestrator, input, instance_id=\.\.\.\)"):
        context().call_sub_orchestrator("sub", {"y": 1}, "child-1")
    with pytest.raises(TypeError, match=r"pass several as a list"):
        context().call_sub_orchestrator("sub", 1, 2)


def no_stream(value: StreamingResponse) -> NoReturn:
    raise AssertionError(value)


def test_a_response_of_azures_says_what_to_return() -> None:
    theirs = type("HttpResponse", (), {"__module__": "azure.functions._http"})
    with pytest.raises(
        FunctionResponseError, match=r"Azure's HttpResponse: import HttpResponse from funchost\."
    ):
        render(theirs(), Converter(1000), no_stream)


def loaded(make_app: MakeApp, files: Mapping[str, str], *, with_azure: bool = True) -> App:
    app_dir = make_app({**(AZURE if with_azure else {}), **files})
    return load_app(app_dir, load_settings(app_dir, {}))


def error_in(app: App) -> str:
    (broken,) = app.broken
    return broken.error


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import azure.functions as func\napp = func.FunctionApp()", "FunctionApp"),
        ("import azure.durable_functions as df\nmyApp = df.DFApp()", "DFApp"),
    ],
)
def test_azures_app_is_told_from_the_one_to_import(
    make_app: MakeApp, source: str, name: str
) -> None:
    error = error_in(loaded(make_app, {"function_app.py": source}))
    variable = source.partition("\n")[2].partition(" ")[0]
    assert f"'{variable}' is Azure's {name}: write `from funchost import FunctionApp`" in error


@pytest.mark.parametrize("package", ["azure.functions", "azure.durable_functions", "durabletask"])
def test_a_missing_package_of_azures_says_what_to_import(make_app: MakeApp, package: str) -> None:
    source = f"import {package}.xyz"
    error = error_in(loaded(make_app, {"function_app.py": source}, with_azure=False))
    assert error.startswith("ModuleNotFoundError: No module named")
    assert "import what an app needs from funchost" in error


def test_another_missing_package_is_told_as_ever(make_app: MakeApp) -> None:
    error = error_in(loaded(make_app, {"function_app.py": "import nothing_of_it"}))
    assert error == "ModuleNotFoundError: No module named 'nothing_of_it'"


def test_a_name_of_azures_imported_from_funchost_says_what_to_import(make_app: MakeApp) -> None:
    error = error_in(loaded(make_app, {"function_app.py": "from funchost import DFApp"}))
    assert "there is one class of apps: use FunctionApp" in error


FUNCTION_JSON = '{"bindings": [{"name": "context", "type": "orchestrationTrigger"}]}'


def test_orchestrator_create_is_refused_with_what_to_name(make_app: MakeApp) -> None:
    source = """
import azure.durable_functions as df
def steps(context): yield context.create_timer(1)
main = df.Orchestrator.create(steps)
"""
    files = {"o/function.json": FUNCTION_JSON, "o/__init__.py": source}
    error = error_in(loaded(make_app, files))
    assert "'main' of __init__.py is made by Azure's packages" in error
    assert "name it as 'entryPoint' in function.json" in error


def test_annotations_with_azures_classes_are_odd(make_app: MakeApp) -> None:
    source = """
import azure.functions as func
from funchost import FunctionApp
app = FunctionApp()
@app.route("x")
def answers(req: func.HttpRequest) -> func.HttpResponse: ...
"""
    app = loaded(make_app, {"function_app.py": source})
    assert [str(each) for each in app.oddities if each.where == "answers"] == [
        "answers: the annotation of the parameter 'req' is Azure's HttpRequest: "
        "import HttpRequest from funchost.",
        "answers: the annotation of its result is Azure's HttpResponse: "
        "import HttpResponse from funchost.",
    ]
