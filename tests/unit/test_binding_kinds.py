"""The registry of binding kinds, and what a record must be."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bindings.kinds.http import HTTP, HTTP_TRIGGER
from bindings.kinds.records import BindingKind, Input, Output, Reply, Trigger
from bindings.kinds.registry import GROUP, KINDS, KindRegistry
from tests.kit.other_package import install

ROOT = Path(__file__).parents[2]
FUNCTION_JSONS = sorted(ROOT.glob("samples/**/function.json"))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KindRegistry]:
    """Knows two kinds by itself, and those of a package of somebody else."""
    folder = install(tmp_path / "installed")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    (package,) = distributions(path=[str(folder)])
    yield KindRegistry((HTTP_TRIGGER, HTTP), lambda: package.entry_points.select(group=GROUP))
    sys.modules.pop("pigeon_post", None)


def kind(type_name: str, **parts: Any) -> BindingKind:
    return BindingKind(type=type_name, about="a toy", **parts)


def test_a_kind_of_another_package_is_found_in_any_case(registry: KindRegistry) -> None:
    found = registry.find("PIGEONtrigger")
    assert found is not None
    assert (found.type, found.about) == ("pigeonTrigger", "a message")
    assert registry.find("PigeonTrigger") is found


def test_another_packages_code_is_not_run_before_a_kind_of_it_is_asked_for(
    registry: KindRegistry,
) -> None:
    assert registry.find("HTTPTRIGGER") is HTTP_TRIGGER
    assert registry.find("unknown") is None
    assert "pigeonTrigger" in registry.type_names()
    assert "pigeon_post" not in sys.modules


def test_a_kind_that_does_not_load_is_missing_with_its_reason(registry: KindRegistry) -> None:
    assert registry.find("crow") is None

    broken = registry.broken("CROW")
    assert broken is not None
    assert broken.source == "pigeon-post (no_such_module:CROW)"
    assert broken.error == "ModuleNotFoundError: No module named 'no_such_module'"
    assert registry.find("letter") is not None


def test_every_entry_point_that_gives_no_kind_is_listed_and_the_others_are_there(
    registry: KindRegistry,
) -> None:
    reasons = {each.type: each.error for each in registry.all_broken()}
    assert reasons == {
        "crow": "ModuleNotFoundError: No module named 'no_such_module'",
        "http": "There is another kind of this name.",
        "magpie": "ValueError: Its kind is 'grain': give the entry point this name.",
        "raven": "TypeError: It is no BindingKind but str.",
    }
    types = [each.type for each in registry.all_kinds()]
    assert types[:2] == ["httpTrigger", "http"]
    assert set(types[2:]) == {"pigeonTrigger", "grain", "letter"}


def test_a_decorator_is_found_by_its_name(registry: KindRegistry) -> None:
    found = registry.of_decorator("letter_output")
    assert found is not None
    assert (found[0].type, found[1]) == ("letter", "out")
    assert registry.of_decorator("letter_input") is None


def test_a_kind_can_be_added_once(registry: KindRegistry) -> None:
    toy = kind("toyTrigger", trigger=Trigger())
    registry.add(toy)
    registry.add(toy)
    assert registry.find("TOYTRIGGER") is toy
    with pytest.raises(ValueError, match="There is a binding kind 'toyTrigger' already"):
        registry.add(kind("ToyTrigger", trigger=Trigger()))


@pytest.mark.parametrize(
    ("type_name", "parts"),
    [
        ("toy", {"trigger": Trigger()}),
        ("toyTrigger", {"output": Reply()}),
        ("toyTrigger", {"trigger": Trigger(), "output": Reply()}),
        ("toy", {}),
        ("toy", {"output": Reply(), "is_inout": True}),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(type_name: str, parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=type_name):
        kind(type_name, **parts)


def test_directions_follow_from_the_parts() -> None:
    given, taken = Input(give=lambda _: pytest.fail()), Output(take=lambda _: pytest.fail())
    assert kind("toyTrigger", trigger=Trigger()).directions == ("in",)
    assert kind("toy", input=given).directions == ("in",)
    assert kind("toy", input=given, output=taken).directions == ("in", "out")
    assert kind("toy", output=Reply()).directions == ("out",)
    both = kind("toy", input=given, output=taken, is_inout=True)
    assert both.directions == ("in", "out", "inout")


@pytest.mark.parametrize("path", FUNCTION_JSONS, ids=lambda path: path.parent.name)
def test_the_samples_keep_to_the_schemas(path: Path) -> None:
    for binding in json.loads(path.read_text())["bindings"]:
        found = KINDS.find(binding["type"])
        assert found is not None
        jsonschema.validate(binding, found.schema)


def test_a_schema_refuses_what_a_binding_cannot_be() -> None:
    route = {"type": "httpTrigger", "name": "req", "direction": "in", "route": "a"}
    for wrong in ({"route": 5}, {"direction": "out"}, {"authLevel": "nobody"}, {"methods": "get"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**route, **wrong}, HTTP_TRIGGER.schema)
