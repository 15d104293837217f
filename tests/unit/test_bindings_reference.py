"""docs/reference/bindings.md: its tables are those of the records of kinds."""

from __future__ import annotations

from bindings.kinds.registry import _BUILT_IN
from tests.kit.binding_tables import PAGE, written


def test_the_tables_are_made_of_the_records() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write them anew: python -m tests.kit.binding_tables"


def test_every_kind_of_this_package_has_its_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [each.type for each in _BUILT_IN if f"<!-- kind: {each.type} -->" not in page] == []
