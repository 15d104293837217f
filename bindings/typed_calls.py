"""What type checkers see of functions that authors call by reference. Nothing here does anything.

A function's input is checked where it has one parameter for it. One with several is filled from a
list or a dict, which no checker can look into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Never, ParamSpec, Protocol, TypeAlias, TypeVar

from bindings.invocation import FunctionContext

if TYPE_CHECKING:
    from bindings.context import OrchestrationContext

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Input = TypeVar("Input")
Input_contra = TypeVar("Input_contra", contravariant=True)
Rest = ParamSpec("Rest")

InputOf: TypeAlias = Input | Callable[[Input], Never]
"""An input. Without the part that never happens mypy would read `[1, 2]` as a `list[int]` before it
looks at the function, and refuse it for a `list[float]`; and a dict for a TypedDict."""


class Activity(Protocol[Input_contra, Rest, T_co]):
    """One that takes its input first. The rest is the function's context, or has defaults."""

    def __call__(self, input_: Input_contra, /, *args: Rest.args, **kwargs: Rest.kwargs) -> T_co:
        """Do the work."""


NoInputActivity: TypeAlias = Callable[[], T] | Callable[[None], T] | Callable[[FunctionContext], T]
SeveralInputsActivity: TypeAlias = Callable[Concatenate[Any, Any, Rest], T]


class Orchestrator(Protocol[Input_contra, T_co]):
    """One that takes its input as its second parameter."""

    def __call__(self, context: OrchestrationContext, input_: Input_contra, /) -> T_co:
        """Decide what comes next."""
