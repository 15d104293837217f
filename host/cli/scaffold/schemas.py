"""The schemas that the files of an app name, so that editors complete and check them.

They are files of the app: which kinds of bindings there are depends on what is installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bindings.kinds.registry import KINDS
from bindings.kinds.schema import function_json_schema
from host.settings.schema import host_json_schema

FOLDER = ".schemas"
SCHEMAS: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "function.json": lambda: function_json_schema(KINDS.all_kinds()),
    "host.json": host_json_schema,
}
"""What makes the schema of a file, by the file's name."""


def schema_path(file: str) -> str:
    """Where the schema of this file is, from the app's folder."""
    return f"{FOLDER}/{file.removesuffix('.json')}.schema.json"


def schema_text(file: str) -> str:
    """The schema of this file."""
    return json.dumps(SCHEMAS[file](), indent=2) + "\n"


def write_missing(app: Path, file: str) -> Path | None:
    """Write the schema of this file, unless it is there; where, if so. Raises `OSError`."""
    path = app / schema_path(file)
    if path.exists():
        return None
    path.parent.mkdir(exist_ok=True)
    path.write_text(schema_text(file), encoding="utf-8")
    return path
