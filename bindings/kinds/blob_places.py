"""What a binding of blobs says: its path, and by that which blobs are meant.

A trigger's path is a pattern whose captures are names for expressions; the path of an input or
output is a text with expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bindings.blob_names import (
    PathPattern,
    check_container,
    check_name,
    path_pattern,
    split_path,
)
from bindings.errors import FunctionDefinitionError, InvalidArgumentError
from bindings.expressions import Template, template
from bindings.functions import Binding, Direction, names_setting
from bindings.kinds.blob_values import DATA_TYPES, STREAM
from bindings.kinds.blobs import BlobContainer, BlobFacts
from bindings.kinds.records import Call, FunctionFacts
from bindings.shown_values import shown_value

_TEXTS: Final = ("path", "connection", "dataType", "source", "queueName")
_CHANGING: Final = frozenset({"rand-guid", "datetime", "sys.utcnow", "sys.randguid"})


@dataclass(slots=True, kw_only=True)
class BlobEvent:
    """A blob that triggers a function."""

    container: str
    name: str
    captures: Mapping[str, str]
    """What the captures of the trigger's path stand for."""
    facts: BlobFacts | None = None
    """Known since it was opened, which is before any expression asks."""

    @property
    def path(self) -> str:
        """`container/name`."""
        return f"{self.container}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobSource:
    """What a complete trigger says."""

    pattern: PathPattern
    connection: str | None
    queue_name: str | None

    def event(self, name: str) -> BlobEvent | None:
        """What triggers the function for a blob of this name; None if it is not meant."""
        captures = self.pattern.match(name)
        if captures is None:
            return None
        return BlobEvent(container=self.pattern.container, name=name, captures=captures)


def source_of(trigger: Binding) -> BlobSource:
    """What a trigger says whose settings have their values. Raises `FunctionDefinitionError`."""
    given = _texts(trigger)
    return BlobSource(
        pattern=path_pattern(given["path"]),
        connection=given.get("connection"),
        queue_name=given.get("queueName"),
    )


class BlobPlace:
    """Which blob an input or output is about, in each call."""

    def __init__(self, binding: Binding) -> None:
        given = _texts(binding)
        self._container, self._name = templates(given["path"])
        self._connection = given.get("connection")

    def of(self, call: Call) -> tuple[BlobContainer, str]:
        """The container and the blob's name. Raises `InvalidArgumentError` for what cannot be."""
        container = self._container.render(call.data)
        if self._name is None:
            container, name = split_path(container)
        else:
            check_container(container)
            name = self._name.render(call.data)
            check_name(name)
        return call.resources.container(container, self._connection), name


def complete_trigger(trigger: Binding, _: FunctionFacts) -> Binding:
    """The trigger as it is, if it is right. What names an app setting is looked at later again."""
    if not _names_settings(trigger):
        source_of(trigger)
    return trigger


def complete(binding: Binding, _: FunctionFacts) -> Binding:
    """The same for inputs and outputs."""
    if _names_settings(binding):
        return binding
    container, name = templates(_texts(binding)["path"])
    try:
        if container.is_constant and name is not None:
            check_container(container.text)
        if name is not None and name.is_constant:
            check_name(name.text)
    except InvalidArgumentError as error:
        raise FunctionDefinitionError(
            f"The path of '{binding.name}' does not do: {error}"
        ) from None
    if binding.direction is Direction.INOUT:
        _check_steady((container, name), binding.name)
    return binding


def _names_settings(binding: Binding) -> bool:
    return any(map(names_setting, binding.properties.values()))


def _texts(binding: Binding) -> dict[str, str]:
    """Its properties. Raises `FunctionDefinitionError` for what is no text, or without a path."""
    given = {name: binding.properties[name] for name in _TEXTS if name in binding.properties}
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            raise FunctionDefinitionError(
                f"'{name}' of '{binding.name}' must be a text and not empty, it is "
                f"{shown_value(value)}."
            )
    if "path" not in given:
        raise FunctionDefinitionError(
            f"The {binding.type} binding '{binding.name}' has no path: write one such as "
            "'container/{name}'."
        )
    if given.get("dataType", STREAM).lower() not in DATA_TYPES:
        raise FunctionDefinitionError(
            f"The dataType '{given['dataType']:.60}' does not exist; it is one of "
            f"{', '.join(DATA_TYPES)}."
        )
    return given


def templates(path: str) -> tuple[Template, Template | None]:
    """The container and the name. Without a slash outside of expressions both are in the first."""
    depth = 0
    for place, sign in enumerate(path):
        depth += (sign == "{") - (sign == "}")
        if sign == "/" and depth == 0:
            return (
                template(path[:place], "The container in 'path'"),
                template(path[place + 1 :], "'path'"),
            )
    whole = template(path, "'path'")
    if whole.is_constant:
        raise FunctionDefinitionError(
            f"The path '{path:.200}' has no '/': write container/name, as in 'reports/{{id}}.csv'."
        )
    return whole, None


def _check_steady(parts: tuple[Template | None, ...], name: str) -> None:
    for part in parts:
        for each in () if part is None else part.parts:
            if not isinstance(each, str) and each.name.lower() in _CHANGING:
                raise FunctionDefinitionError(
                    f"The path of '{name}' has {{{each.name}}}, which is another one when it is "
                    "written than when it was read: use an input and an output."
                )
