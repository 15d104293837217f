"""What a kind of binding is: one record says all that the host knows of it.

A kind is made of parts. A `Trigger` starts functions, an `Input` gives a parameter its value, an
`Output` takes a value away when the function has returned, and a `Reply` hands it to whoever
triggered the function. The directions of a kind follow from its parts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias

from bindings.client import DurableClient
from bindings.expressions import BindingData
from bindings.functions import TRIGGER_SUFFIX, Binding, Direction, FunctionDeclaration
from bindings.http import AuthLevel
from bindings.invocation import FIRST_TRY, RetryContext
from bindings.kinds.resources import Resources
from bindings.kinds.services import ListenerServices

JsonSchema: TypeAlias = Mapping[str, Any]
Function: TypeAlias = Callable[..., Any]
Annotation: TypeAlias = type[Any]


class Role(StrEnum):
    """Who runs the functions of a trigger."""

    ORCHESTRATOR = "orchestrator"
    ACTIVITY = "activity"
    ENTITY = "entity"
    TRIGGERED = "triggered"
    """Something outside starts them: a request, a message, a person."""


class JsonReader(Protocol):
    """Makes values of JSON texts, and texts of values."""

    def from_payload(self, payload: str | None, expected_type: Any, what: str) -> Any:
        """The value, rebuilt as the type says (None: as it is). Raises `SerializationError`."""

    def to_payload(self, value: Any, what: str) -> str | None:
        """The value as a JSON text; None for None. Raises `SerializationError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFacts:
    """What a binding may need to know of its function to be complete."""

    name: str
    auth_level: AuthLevel | str
    """What its app gives to HTTP functions that do not say theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value comes from or goes to. It is the same for all calls of the function."""

    binding: Binding
    function_name: str
    annotation: Any = None
    """The type of the parameter, or of the result; None where nothing is said."""
    has_default: bool = False
    """Whether the parameter has a default, for calls that bring nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a function, as its bindings see it."""

    client: DurableClient
    json: JsonReader
    resources: Resources
    data: BindingData
    """What the expressions in the bindings' properties can name."""
    repeat_id: str | None = None
    """The same for each run of one call of an activity, retries included; None where nobody knows.

    Of what an output writes with an id that is made of it, the second time changes nothing.
    """
    retry: RetryContext = FIRST_TRY
    """Which try it is."""

    at_end: list[Callable[[], None]] = field(default_factory=list)
    """What to do when the call has ended, in whatever way and its outputs too: closing files."""


NOT_GIVEN: Final = object()
"""What a `Reader` gives for a call that brings nothing: the parameter has its default then."""
Reader: TypeAlias = Callable[[object, Call], object]
"""Makes the argument of what triggered the function. It must not block."""
Loader: TypeAlias = Callable[[object, Call], Awaitable[object]]
"""The same, for an argument that has to be waited for."""
Giver: TypeAlias = Callable[[Call], Awaitable[object]]
"""Gives the argument of an input; `NOT_GIVEN`: the parameter has its default."""
Taker: TypeAlias = Callable[[object, Call], Awaitable[None] | None]
"""Sends the value of an output; what it raises is an error of the call.

Those of all outputs are called before what the first one gave is awaited. So a plain function finds
what is wrong with its value while nothing is sent; it gives what sends it, None for nothing.
"""


class TriggeredFunction(Protocol):
    """A function that a listener triggers. Everything of it is for the event loop's thread."""

    @property
    def name(self) -> str:
        """The name it goes by."""

    @property
    def trigger(self) -> Binding:
        """Its trigger, complete, with the values of app settings in it."""

    async def invoke(self, value: object) -> object:
        """Run it for this value; gives its reply, or what it returned.

        What fails is repeated as the function's `retry` says, and this takes as long. Raises what
        the function or its bindings raise at last: that is the listener's to deal with. Raises
        `asyncio.CancelledError` if the host stops before the next try: give the value back then.
        """


class TriggerListener(Protocol):
    """Waits for what triggers one function, on the event loop, which it must not block."""

    async def start(self) -> None:
        """Begin to listen. What this raises is shown, and the function is triggered no more.

        So a source that cannot be reached for the moment is no error: it is a problem.
        """

    async def stop(self) -> None:
        """Take nothing new, and return when what was taken is done, or given back.

        After the host's grace time this is cancelled. It is called once, if `start` returned.
        """

    def problems(self) -> list[str]:
        """What keeps it from listening at the moment, in words; empty if all is well."""


class Odd(Protocol):
    """Finds what is odd about a complete trigger."""

    def __call__(self, trigger: Binding, /, *, is_shared: bool) -> Iterable[str]:
        """`is_shared` says whether several hosts can have the hub."""


Listen: TypeAlias = (
    Callable[[TriggeredFunction, ListenerServices], TriggerListener]
    | Callable[[TriggeredFunction], TriggerListener]
)
"""Makes the listener of one function. It is given the host's services if it takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """How a kind starts functions."""

    decorator: str = ""
    role: Role = Role.TRIGGERED
    name_property: str | None = None
    """The property that gives the function another name."""
    version_property: str | None = None
    """The property that says for which version it is, if there may be others of its name."""
    is_alone: bool = False
    """Whether functions with this trigger can have no other binding."""
    check: Callable[[Function, Binding], None] | None = None
    """Raises `FunctionDefinitionError` for a function that this trigger could not run."""
    read: Callable[[Place], Reader | None] | None = None
    """None, and what gives None: the function gets what triggered it as it is."""
    load: Callable[[Place], Loader] | None = None
    """The same as `read` and in its place, for a kind that has to fetch what the function gets."""
    data: Callable[[Any], Mapping[str, object]] | None = None
    """What binding expressions of the function can name, from what triggered it. May be called
    for a function that nothing asks it of; what it raises is an error of the call."""
    by_hand: Callable[[str | None, str], object] | None = None
    """What triggers the function when a person runs it with this text (by a request to this URL).

    None: the text.
    """
    by_hand_at: Callable[[str | None, datetime], object] | None = None
    """The same for a kind that needs to know when that is. Raises `InvalidArgumentError`."""
    by_hand_for: Callable[[str | None, Binding], object] | None = None
    """The same for a kind that needs to know its trigger. Raises `InvalidArgumentError`."""
    instead_of_retry: str = ""
    """What to use where nobody could repeat a run that failed; such functions have no `retry`."""
    listen: Listen | None = None
    """Makes the listener of one function.

    None: whatever runs these functions finds them itself, as HTTP requests do.
    """
    shown: Callable[[Binding, str], str] | None = None
    """What the list of functions says of it; the text is the URL that all routes start with."""
    odd: Odd | None = None
    """What works and is probably not meant, in words."""
    odd_function: Callable[[FunctionDeclaration], Iterable[str]] | None = None
    """The same for what is odd about the trigger together with the other bindings."""
    shared: Callable[[Binding], str] | None = None
    """What a complete trigger takes from, in words, where each thing goes to one function only.

    It is said of two functions that they take from the same.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """How a kind gives values to parameters."""

    give: Callable[[Place], Giver]
    decorator: str = ""
    awaited_as: str = ""
    """What the value is called, if only an `async def` can use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How a kind takes values away."""

    take: Callable[[Place], Taker]
    decorator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The value goes back to whoever triggered the function."""

    decorator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingKind:
    """One kind of binding.

    `type` is its name in function.json; that of a trigger ends with `Trigger`, and no other does.
    Raises `ValueError` if it does not keep to that, or has no part.
    """

    type: str
    about: str
    """What the parameter receives or gives, in a few words."""
    trigger: Trigger | None = None
    input: Input | None = None
    output: Output | Reply | None = None
    is_inout: bool = False
    """Whether one binding may be both input and output: its parameter is an `Out` that holds what
    the input gives, and what the function sets goes to the output."""
    properties: Mapping[str, JsonSchema] = field(default_factory=dict)
    """The schemas of its own properties, by their names in function.json."""
    annotation: Annotation | None = None
    """The type by which its parameter is known where the author does not name it."""
    customary_names: tuple[str, ...] = ()
    """The names by which its parameter is known, where no annotation says it."""
    default_name: str = "input"
    """The name of the binding where the function has no parameter for it."""
    by_setting: Mapping[str, str] = field(default_factory=dict)
    """The app settings, by property, whose values properties get that the author left out."""
    complete: Callable[[Binding, FunctionFacts], Binding] | None = None
    """Fills in what the author left out. Raises `FunctionDefinitionError` for what cannot be."""

    def __post_init__(self) -> None:
        if self.type.lower().endswith(TRIGGER_SUFFIX) != (self.trigger is not None):
            raise ValueError(f"'{self.type}': a kind's name ends with Trigger if it is a trigger.")
        if self.trigger is not None and (self.input or self.output):
            raise ValueError(f"'{self.type}': a trigger is no input or output besides.")
        if self.is_inout and not (self.input and isinstance(self.output, Output)):
            raise ValueError(f"'{self.type}' is not both input and output.")
        if not self.directions:
            raise ValueError(f"'{self.type}' is no trigger, input or output.")

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Which ways its data may flow."""
        is_in = self.trigger is not None or self.input is not None
        ways = (
            (Direction.IN, is_in),
            (Direction.OUT, self.output is not None),
            (Direction.INOUT, self.is_inout),
        )
        return tuple(direction for direction, is_open in ways if is_open)

    @property
    def schema(self) -> JsonSchema:
        """The JSON schema of such a binding in function.json."""
        own = {
            "type": {"const": self.type, "description": self.about},
            "direction": {"enum": [direction.value for direction in self.directions]},
            "name": {"type": "string"},
        }
        return {
            "type": "object",
            "properties": {**own, **self.properties},
            "required": ["type", "name"],
        }

    @property
    def decorators(self) -> Mapping[str, Direction]:
        """The names of its decorators, and the direction of what each adds."""
        parts = (
            (self.trigger, Direction.IN),
            (self.input, Direction.IN),
            (self.output, Direction.OUT),
        )
        return {part.decorator: way for part, way in parts if part is not None and part.decorator}
