"""`entityTrigger`: the function, or class, is an entity."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from bindings.entities import Entity
from bindings.errors import FunctionDefinitionError
from bindings.functions import Binding, Direction
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.records import BindingKind, Role, Trigger
from bindings.signatures import is_required, named_parameters, shown

_TYPE = "entityTrigger"
_CONTEXT_NAME = "context"


class EntityDecorators(Decorating):
    """The decorator of entities."""

    def entity_trigger(
        self, context_name: str | None = None, entity_name: str | None = None
    ) -> Callable[[F], F]:
        """Make the function, or the class derived from `Entity`, an entity.

        It is named `entity_name` if that is given, else as the function or class is.
        """
        check_called(context_name, "entity_trigger")
        return self.add_binding(_TYPE, Direction.IN, context_name, entityName=entity_name)


def is_entity_class(function: Callable[..., Any]) -> bool:
    """Whether it is a class of entities."""
    return isinstance(function, type) and issubclass(function, Entity)


def _check(function: Callable[..., Any], trigger: Binding) -> None:
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
    properties={"entityName": {"type": "string", "description": "another name"}},
    default_name=_CONTEXT_NAME,
)
