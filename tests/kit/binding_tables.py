"""The tables of docs/reference/bindings.md, made of the records of kinds.

`python -m tests.kit.binding_tables` writes them into the page, between their marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bindings.kinds.records import BindingKind
from bindings.kinds.registry import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "bindings.md"

_MARKED = re.compile(r"(<!-- kind: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """The page with the tables that belong between its marks."""
    return _MARKED.sub(lambda found: f"{found[1]}{table(found[2])}\n{found[3]}", page)


def table(type_name: str) -> str:
    """What the record of one kind says."""
    kind = KINDS.find(type_name)
    assert kind is not None, type_name
    return "\n".join(_lines(kind))


def _lines(kind: BindingKind) -> Iterator[str]:
    directions = " or ".join(f"`{each.value}`" for each in kind.directions)
    decorators = ", ".join(f"`{name}`" for name in kind.decorators) or "none"
    yield f"Direction: {directions}. Decorator: {decorators}. The parameter: {kind.about}."
    if kind.properties:
        yield ""
        yield "| property | type | default | meaning |"
        yield "|---|---|---|---|"
        for name, schema in kind.properties.items():
            cells = (f"`{name}`", _type(schema), _default(schema), schema.get("description", ""))
            yield f"| {' | '.join(cells)} |"


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    items = schema.get("items")
    return f"list of {items['type']}s" if items else str(schema.get("type", "any"))


def _default(schema: Mapping[str, Any]) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
