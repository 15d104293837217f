"""`entityTrigger`: the function, or class, is an entity."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from bindings.entities import Entity
from bindings.errors import FunctionDefinitionError
from bindings.expressions import Template
from bindings.functions import Binding, Direction
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.limiting import LIMIT_KEY, LIMITED, limited_by
from bindings.kinds.records import BindingKind, Role, Trigger
from bindings.signatures import is_required, named_parameters, shown

_TYPE = "entityTrigger"
_CONTEXT_NAME = "context"
KEY_OF_ENTITY: Final = "key"
"""What a `limit_key` calls the key of the entity."""


class EntityDecorators(Decorating):
    """The decorator of entities."""

    def entity_trigger(
        self,
        context_name: str | None = None,
        entity_name: str | None = None,
        *,
        limit: str | None = None,
        limit_key: str | None = None,
        priority: int | None = None,
    ) -> Callable[[F], F]:
        """Make the function, or the class derived from `Entity`, an entity.

        It is named `entity_name` if that is given, else as the function or class is.

        With `limit`, the name of one of `extensions.durableTask.limits` in host.json, an entity
        does operations only while it has a slot of that limit. `limit_key` says which key of the
        limit that is for, by the entity's own `{key}`; `priority` is that of `activity_trigger`.
        """
        check_called(context_name, "entity_trigger")
        return self.add_binding(
            _TYPE,
            Direction.IN,
            context_name,
            entityName=entity_name,
            limit=limit,
            limitKey=limit_key,
            priority=priority,
        )


def is_entity_class(function: Callable[..., Any]) -> bool:
    """Whether it is a class of entities."""
    return isinstance(function, type) and issubclass(function, Entity)


def _check(function: Callable[..., Any], trigger: Binding) -> None:
    limited = limited_by(trigger)
    if limited is not None and limited.key is not None:
        _check_key(limited.key)
    if isinstance(function, type):
        _check_class(function)
        return
    parameters = list(named_parameters(function).values())
    if not parameters or any(is_required(each) for each in parameters[1:]):
        raise FunctionDefinitionError(
            f"An entity's function takes its context and nothing else, not {shown(function)}: ask "
            "the context for the input (get_input) and the state (get_state)."
        )
    if parameters[0].name != trigger.name or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise FunctionDefinitionError(
            f"The context is named '{trigger.name}', but the first parameter of the entity is "
            f"'{parameters[0].name}': its parameters are {shown(function)}."
        )


def _check_key(key: Template) -> None:
    """All operations of an entity count for one key: only the entity's own can say which."""
    other = sorted(name for name in key.names if name.lower() != KEY_OF_ENTITY)
    if other:
        raise FunctionDefinitionError(
            f"The '{LIMIT_KEY}' of an entity is made of its key, '{{{KEY_OF_ENTITY}}}', and of "
            f"nothing else; it is '{key.text}'."
        )


def _check_class(made: type) -> None:
    if not is_entity_class(made):
        raise FunctionDefinitionError(
            f"'{made.__name__}' is a class, and not derived from Entity: write "
            f"class {made.__name__}(Entity[...]), with the type of its state."
        )
    if any(is_required(each) for each in named_parameters(made).values()):
        raise FunctionDefinitionError(
            f"'{made.__name__}' is made anew for each operation, without arguments, and its "
            f"__init__ takes {shown(made)}."
        )


ENTITY_TRIGGER = BindingKind(
    type=_TYPE,
    about="an `EntityContext`",
    trigger=Trigger(
        decorator="entity_trigger",
        role=Role.ENTITY,
        name_property="entityName",
        is_alone=True,
        check=_check,
        instead_of_retry="what calls it can call it again, and a signal's sender can send another",
    ),
    properties={
        "entityName": {"type": "string", "description": "another name"},
        **LIMITED,
        LIMIT_KEY: {
            "type": "string",
            "description": "the key within the limit, by that of the entity: `{key}`",
        },
    },
    default_name=_CONTEXT_NAME,
)
