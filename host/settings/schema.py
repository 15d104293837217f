"""The JSON schema of host.json, made of the models that the host reads it with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bindings.timespans import TIMESPAN_PATTERN
from host.settings.log_levels import LogLevels
from host.settings.model import HostDocument

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
_CATEGORIES: Final = "categories"


class _Generator(GenerateJsonSchema):
    """Durations are written as host.json has them, and not as ISO 8601 does."""

    schema_dialect = DIALECT

    def timedelta_schema(self, _schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^({TIMESPAN_PATTERN}|-1)$"}

    def get_title_from_name(self, name: str) -> str:
        return name


def host_json_schema() -> Mapping[str, Any]:
    """The schema. Keys that are not in it are tolerated, as Azure's files have many."""
    schema = HostDocument.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = schema["$defs"]
    levels = definitions[LogLevels.__name__]
    levels["additionalProperties"] = levels["properties"].pop(_CATEGORIES)["additionalProperties"]
    for each in (schema, *definitions.values()):
        _tidy(each)
    properties = {"$schema": {"type": "string"}, **schema["properties"]}
    return {"$schema": DIALECT, **schema, "title": "host.json", "properties": properties}


def _tidy(section: dict[str, Any]) -> None:
    """Leave out what says nothing: titles, and the defaults of whole sections."""
    section.pop("title", None)
    for each in section.get("properties", {}).values():
        each.pop("title", None)
        if isinstance(each.get("default"), dict):
            del each["default"]
