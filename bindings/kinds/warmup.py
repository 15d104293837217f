"""`warmupTrigger`: the function runs once at each start of a host, before the host is ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bindings.functions import Binding, Direction
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.records import BindingKind, Trigger

TYPE: Final = "warmupTrigger"


class WarmupDecorators(Decorating):
    """The decorator of functions that warm up a host."""

    def warm_up_trigger(
        self, arg_name: str | None = None, data_type: str | None = None
    ) -> Callable[[F], F]:
        """Run the function once at each start of a host, which is not ready before that ends.

        So a balancer that asks `/readyz` sends requests to a warm host. If it fails, that is
        logged and the host is ready all the same. Its parameter, if it has one, is None.
        """
        check_called(arg_name, "warm_up_trigger")
        return self.add_binding(TYPE, Direction.IN, arg_name, dataType=data_type)


def _by_hand(_text: str | None, _url: str) -> None:
    """Nothing triggers it but the start."""


def _shown(_: Binding, _url: str) -> str:
    return "at each start"


WARMUP_TRIGGER = BindingKind(
    type=TYPE,
    about="nothing: `None`",
    trigger=Trigger(decorator="warm_up_trigger", by_hand=_by_hand, shown=_shown),
    default_name="warmup",
    customary_names=("warmup", "warmup_context", "warmupContext"),
)
