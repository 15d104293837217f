"""Which callables refer to a registered function, and names without regard to case."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bindings import FunctionApp, InvalidArgumentError
from bindings.kinds.records import Role
from host.core.converter import Converter
from host.functions.catalog import Catalog
from tests.kit.hub import loaded


@dataclass
class Shop:
    """With `__eq__` and without `__hash__`."""

    town: str

    def order(self, size: str) -> str:
        return f"{size} in {self.town}"

    def __call__(self, size: str) -> str:
        return self.order(size)

    @classmethod
    def close(cls, day: str) -> str:
        return day

    @staticmethod
    def clean(day: str) -> str:
        return day


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


def bake(size: str) -> str:
    return size


def serve(size: str) -> str:
    return size


class Box:
    clean = staticmethod(bake)


SHOP = Shop("Rome")
PARTIAL = functools.partial(Shop.order, SHOP)
WRAPPED = logged(bake)

CASES: dict[str, tuple[Callable[..., Any], Callable[[], Callable[..., Any]]]] = {
    "bound method": (SHOP.order, lambda: SHOP.order),
    "class method": (Shop.close, lambda: Shop.close),
    "class method of an instance": (Shop.close, lambda: SHOP.close),
    "static method": (Shop.clean, lambda: SHOP.clean),
    "static method as it is": (Box.__dict__["clean"], lambda: Box.clean),
    "callable object": (SHOP, lambda: SHOP),
    "callable object by its method": (SHOP, lambda: SHOP.__call__),
    "method of a callable object": (SHOP.__call__, lambda: SHOP),
    "partial": (PARTIAL, lambda: PARTIAL),
    "wrapper": (WRAPPED, lambda: WRAPPED),
    "wrapper of a wrapper": (WRAPPED, lambda: logged(WRAPPED)),
    "what is wrapped": (WRAPPED, lambda: bake),
    "wrapper of a plain function": (bake, lambda: logged(bake)),
}


def catalog(**functions: Callable[..., Any]) -> Catalog:
    app = FunctionApp()
    for name, function in functions.items():
        app.function_name(name)(app.activity_trigger()(function))
    return Catalog(loaded(app), Converter())


@pytest.mark.parametrize("case", CASES)
def test_found_c6_every_callable_that_was_registered_is_found(case: str) -> None:
    registered, reference = CASES[case]
    assert catalog(mine=registered, other=serve).name_of(reference(), Role.ACTIVITY) == "mine"


@pytest.mark.parametrize(
    "reference",
    [
        serve,
        Shop("Rome").order,
        Shop("Pisa"),
        functools.partial(bake, "large"),
        Shop.order,
        len,
        5,
        None,
    ],
    ids=["function", "other object", "equal object", "partial", "unbound", "built-in", "5", "None"],
)
def test_found_c6_what_is_not_registered_is_refused_by_name(reference: Any) -> None:
    with pytest.raises(
        InvalidArgumentError, match="is not a registered orchestrator, activity or entity"
    ):
        catalog(order=SHOP.order, bake=bake).name_of(reference, Role.ACTIVITY)


def test_found_c6_what_two_registered_functions_wrap_is_neither() -> None:
    found = catalog(one=logged(bake), two=logged(bake))
    with pytest.raises(InvalidArgumentError):
        found.name_of(bake, Role.ACTIVITY)


def test_found_c6_the_function_itself_comes_before_what_wraps_it() -> None:
    found = catalog(wrapper=WRAPPED, itself=bake)
    assert found.name_of(bake, Role.ACTIVITY) == "itself"
    assert found.name_of(WRAPPED, Role.ACTIVITY) == "wrapper"
