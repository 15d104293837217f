"""The registry of stores: which there are, and which one a name means."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from host.errors import ConfigurationError
from host.storage.kinds import EngineDefaults, StoreKind
from host.storage.memory import MEMORY
from host.storage.opening import GROUP, STORES, StoreKinds
from tests.kit.store_package import install

OURS = (EntryPoint("memory", "host.storage.memory:MEMORY", GROUP),)


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreKinds]:
    """Knows one kind by itself, and those of a package of somebody else."""
    folder = install(tmp_path / "installed")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    (package,) = distributions(path=[str(folder)])
    yield StoreKinds(OURS, lambda: package.entry_points.select(group=GROUP))
    sys.modules.pop("shelf_store", None)


def nobody() -> list[EntryPoint]:
    raise AssertionError("other packages are looked for")


@pytest.mark.parametrize("name", ["sqlite", "memory", "aws"])
def test_every_kind_of_ours_is_found_by_its_name(name: str) -> None:
    assert STORES.find(name).name == name


def test_a_kind_of_another_package_is_found_by_its_name(stores: StoreKinds) -> None:
    shelf = stores.find("shelf")
    assert shelf.name == "shelf"
    assert shelf.engine_defaults({}) == EngineDefaults(sweep_s=60.0)


def test_another_packages_code_is_not_run_before_its_kind_is_asked_for(stores: StoreKinds) -> None:
    assert stores.knows("shelf")
    assert stores.names() == ["memory", "cupboard", "rack", "shelf", "trunk"]
    assert "shelf_store" not in sys.modules


def test_for_a_kind_of_ours_no_other_package_is_looked_for() -> None:
    stores = StoreKinds(OURS, nobody)
    assert stores.knows("memory")
    assert stores.find("memory") is MEMORY


def test_no_package_takes_the_place_of_a_kind_of_ours(stores: StoreKinds) -> None:
    assert stores.find("memory") is MEMORY


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("drawer", "Unknown storage 'drawer': choose one of memory, cupboard, rack, shelf, trunk."),
        (
            "cupboard",
            "The storage 'cupboard' of shelf-store (no_such_module:CUPBOARD) does not load: "
            "ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (
            "trunk",
            "The storage 'trunk' needs the package 'no_such_module': "
            f"{sys.executable} -m pip install 'shelf-store[oak]'",
        ),
        (
            "rack",
            "The storage 'rack' of shelf-store (shelf_store:SHELF) is no StoreKind of this name.",
        ),
    ],
)
def test_a_kind_that_is_not_there_says_why(stores: StoreKinds, name: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        stores.find(name)
    assert str(refused.value) == problem


def test_a_name_that_two_packages_use_is_refused() -> None:
    two = [EntryPoint("shelf", f"{module}:SHELF", GROUP) for module in ("oak", "pine")]
    stores = StoreKinds(OURS, lambda: two)
    assert stores.names() == ["memory", "shelf"]
    with pytest.raises(ConfigurationError, match=r"several storages 'shelf': .*oak:.*pine:"):
        stores.find("shelf")


def test_a_kind_may_be_added_for_the_life_of_a_process(stores: StoreKinds) -> None:
    box = StoreKind(name="box", opened=MEMORY.opened)
    stores.add(box)
    assert stores.find("box") is box
    assert stores.names()[:2] == ["memory", "box"]


@pytest.mark.parametrize("name", ["memory", "shelf"])
def test_a_name_that_is_taken_cannot_be_added(stores: StoreKinds, name: str) -> None:
    with pytest.raises(ValueError, match=f"There is a storage '{name}' already"):
        stores.add(StoreKind(name=name, opened=MEMORY.opened))
