"""docs/reference/http-api.md: its tables are those of the records of operations."""

from __future__ import annotations

from tests.kit.reference_tables import PAGE, TABLES, written


def test_the_tables_are_made_of_the_records() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write them anew: python -m tests.kit.reference_tables"
    assert all(f"<!-- table: {name} -->" in page for name in TABLES)
