"""Rows as the parameter of a function has them: by its annotation."""

from __future__ import annotations

import dataclasses
import json
import typing
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, TypeAdapter

from bindings.errors import FunctionDefinitionError, SerializationError
from bindings.hints import alternatives
from bindings.shown_values import shown_value
from bindings.tables.values import RowValue

Shown: TypeAlias = Callable[[Any], Any]
"""Makes the argument of a row (None if there is none), or of a list of rows."""

_AS_IT_IS: Final = (None, Any, object, dict, list)


def shown_as(annotation: Any, *, is_list: bool, is_text: bool, what: str) -> Shown:
    """How rows are shown. `is_text`: as JSON, whatever the annotation says; `what` names them.

    Raises `FunctionDefinitionError` for an annotation that can never fit.
    """
    kinds = list(alternatives(annotation))
    hint = kinds[0] if len(kinds) == 1 else None if not kinds else annotation
    _check(hint, is_list=is_list, what=what)
    if is_text or hint is str:
        return _text
    if hint in _AS_IT_IS:
        return _same
    try:
        adapter = TypeAdapter(annotation)
    except Exception as error:  # building it runs the author's code
        raise FunctionDefinitionError(
            f"{what} cannot be given as {shown_value(annotation)}: {error}"
        ) from error

    def validated(value: object) -> object:
        if value is None:
            return None
        try:
            return adapter.validate_python(value)
        except Exception as error:  # an author's validator may raise anything
            raise SerializationError(f"{what} does not fit: {error}") from error

    return validated


def json_text(value: RowValue) -> str:
    """The value as JSON: bytes in base64, numbers with as many digits as a float has."""
    return json.dumps(value, ensure_ascii=False, default=_plainly)


def _check(hint: Any, *, is_list: bool, what: str) -> None:
    kind = typing.get_origin(hint) or hint
    if not isinstance(kind, type) or kind in {object, str}:
        return
    is_row = (
        issubclass(kind, BaseModel | Mapping)
        or dataclasses.is_dataclass(kind)
        or typing.is_typeddict(kind)
    )
    if is_list and is_row:
        raise FunctionDefinitionError(
            f"{what} is a list, for the binding has no rowKey: annotate the parameter as "
            "list[...], or give the binding a rowKey."
        )
    if not is_list and issubclass(kind, Sequence):
        raise FunctionDefinitionError(
            f"{what} is one row, for the binding has a rowKey: annotate the parameter as one, or "
            "leave the rowKey out."
        )


def _same(value: object) -> object:
    return value


def _text(value: RowValue) -> str | None:
    return None if value is None else json_text(value)


def _plainly(value: object) -> object:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"a row has no {type(value).__name__}")
