"""`activityTrigger`: the function is a step of orchestrations."""

from __future__ import annotations

from collections.abc import Callable

from bindings.errors import FunctionDefinitionError
from bindings.functions import Binding, Direction
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.limiting import LIMITED, limited_by
from bindings.kinds.records import BindingKind, FunctionFacts, Role, Trigger
from bindings.shown_values import shown_value

_TYPE = "activityTrigger"


class ActivityDecorators(Decorating):
    """The decorator of activities."""

    def activity_trigger(
        self,
        input_name: str | None = None,
        activity: str | None = None,
        *,
        at_most_once: bool | None = None,
        limit: str | None = None,
        limit_key: str | None = None,
        priority: int | None = None,
    ) -> Callable[[F], F]:
        """Make the function an activity, named `activity` if given.

        Activities run at least once: after a crash they run again. With `at_most_once` the start is
        recorded before it happens, and after a crash the activity fails with `ActivityLostError`
        instead; its retry policy does not apply to that failure.

        With `limit`, the name of one of `extensions.durableTask.limits` in host.json, it begins
        only when it has a slot of that limit. `limit_key` says which key of the limit that is for,
        such as `{host}` for the field `host` of its input. Of those that wait, who has the lower
        `priority` is first; it is 0 if nothing is said.
        """
        check_called(input_name, "activity_trigger")
        return self.add_binding(
            _TYPE,
            Direction.IN,
            input_name,
            activity=activity,
            atMostOnce=at_most_once,
            limit=limit,
            limitKey=limit_key,
            priority=priority,
        )


def is_at_most_once(trigger: Binding) -> bool:
    """Whether the activity never begins twice."""
    return bool(trigger.properties.get("atMostOnce", False))


def _complete(trigger: Binding, _: FunctionFacts) -> Binding:
    value = trigger.properties.get("atMostOnce", False)
    if not isinstance(value, bool):
        raise FunctionDefinitionError(
            f"'atMostOnce' must be true or false, not {shown_value(value)}."
        )
    limited_by(trigger)
    return trigger


ACTIVITY_TRIGGER = BindingKind(
    type=_TYPE,
    about="the input value",
    trigger=Trigger(
        decorator="activity_trigger",
        role=Role.ACTIVITY,
        name_property="activity",
        instead_of_retry="give call_activity a retry_policy",
    ),
    properties={
        "activity": {"type": "string", "description": "another name"},
        "atMostOnce": {
            "type": "boolean",
            "default": False,
            "description": "fail after a crash instead of running again",
        },
        **LIMITED,
    },
    complete=_complete,
)
