"""What the core and the engine know of user functions: records and a catalog to look them up.

The loader (`host/functions`) builds these; nothing here imports user code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bindings.context import OrchestrationContext
from bindings.kinds.records import Role
from host.core.failures import Caught
from host.core.history import Payload
from host.core.records import ActivityKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """The limit that a function keeps to. `priority`: lower is first.

    `key_of` gives the key of an input, by the template `key_text`; it raises
    `InvalidArgumentError` for an input without it.
    """

    name: str
    priority: int = 0
    key_text: str = ""
    key_of: Callable[[Payload], str] = lambda _: ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorFunction:
    """An orchestrator: `start(context)` gives its coroutine or generator, or a plain result.

    `result_type` is the return annotation of the author's function (of a generator: its return
    type), `input_type` that of its input; None where there is none.
    """

    name: str
    start: Callable[[OrchestrationContext], Any]
    result_type: Any = None
    input_type: Any = None
    limit: LimitUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityCall:
    """One run of an activity: for which task, and the `threading.Event` that tells its end."""

    key: ActivityKey
    cancelled: Any
    first_id: int | None = None
    """Of a further attempt by a retry policy: the task of the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFunction:
    """An activity, from payload to payload; exactly one of the three callables is set.

    `of_call` gives what runs in one call, for one that needs to know which it is, or sees that it
    is cancelled: that has one of the other two. Both validate the input and serialize the result
    themselves, so `run_in_thread` does all its work off the event loop. They raise whatever the
    author's function raises, or `SerializationError`; `run` may also give what was caught where the
    function ran.
    """

    name: str
    run: Callable[[Payload], Awaitable[Payload | Caught]] | None = None
    run_in_thread: Callable[[Payload], Payload] | None = None
    of_call: Callable[[ActivityCall], ActivityFunction] | None = None
    result_type: Any = None
    input_type: Any = None
    """The annotation of its only parameter; None where there is none, or are several."""
    at_most_once: bool = False
    """Whether a run that a crash cut short is a failure instead of a reason to run again."""
    limit: LimitUse | None = None
    is_plain: bool = field(init=False, default=True)
    """Whether it begins wherever there is room, again after a crash, and without a slot."""

    def __post_init__(self) -> None:
        is_plain = not self.at_most_once and self.limit is None
        object.__setattr__(self, "is_plain", is_plain)  # it is asked for each task


class FunctionCatalog(Protocol):
    """The functions that this host can run. Names are looked up exactly, then without case."""

    def current(self) -> FunctionCatalog:
        """The functions as they are now, for code that begins with them: it never changes.

        Code knows functions and types of its own modules only, not of those that replace them.
        """
        return self

    def orchestrator(self, name: str, version: str | None = None) -> OrchestratorFunction | None:
        """What leads instances of this name and version.

        It is the function of exactly this version, else the one without a version.
        """

    def activity(self, name: str) -> ActivityFunction | None:
        """The activity of this name."""

    def orchestrator_names(self) -> Sequence[str]:
        """All orchestrators, in order of name, each once."""

    def versions_of(self, _name: str) -> Sequence[str]:
        """The versions that there are functions for under this name, in order."""
        return ()

    def version_of(self, _function: Callable[..., Any] | str) -> str | None:
        """For which version this function is, if only for one; nothing is known of a string."""
        return None

    def name_of(self, function: Callable[..., Any] | str, role: Role) -> str:
        """The registered name of an author's function; of a string the string itself.

        Raises `InvalidArgumentError` for a callable that is not registered, or not in this role:
        by its name nobody would ever be found who could run it.
        """

    def called_activity(
        self, function: Callable[..., Any] | str
    ) -> tuple[str, ActivityFunction | None]:
        """The name of an activity that is called so, and the activity itself if it is here.

        Raises as `name_of` does.
        """
        name = self.name_of(function, Role.ACTIVITY)
        return name, self.activity(name)
