"""What the loader finds: functions that work, and functions that do not, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

from bindings.declaring import version_of
from bindings.function_retry import FunctionRetry
from bindings.functions import Binding, FunctionDeclaration, names_setting
from bindings.invocation import FIRST_TRY, FunctionContext, RetryContext
from bindings.kinds.records import Role, Trigger
from bindings.kinds.registry import trigger_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFunction:
    """One loaded function. `directory` is its own folder, or its app's if it was decorated."""

    name: str
    declaration: FunctionDeclaration
    directory: Path
    is_disabled: bool = False
    is_drop_in: bool = False
    """Whether a function.json declares it."""
    written: tuple[Binding, ...] = ()
    """Its bindings as they were written if they name app settings, which may be secrets."""

    retry: FunctionRetry | None = None
    """When a failed run is repeated: what it says itself, else host.json."""

    @property
    def shown_retry(self) -> Mapping[str, Any] | None:
        """Its `retry`, without values of app settings."""
        written = self.declaration.retry
        if written is not None and any(map(names_setting, written.values())):
            return written
        return None if self.retry is None else self.retry.to_json()

    @property
    def shown_bindings(self) -> tuple[Binding, ...]:
        """Its bindings, the trigger first, without values of app settings."""
        return self.written or (self.declaration.trigger, *self.declaration.bindings)

    @property
    def trigger(self) -> Trigger:
        """What the kind of its trigger says."""
        return trigger_of(self.declaration.trigger)

    @property
    def version(self) -> str | None:
        """The only version of orchestrations that it is for; None for all that have no other."""
        return version_of(self.declaration)

    @property
    def label(self) -> str:
        """Its name, and its version if it has one: no other function of the app has both."""
        return self.name if self.version is None else f"{self.name} (version {self.version})"

    @property
    def role(self) -> Role:
        """Who runs it."""
        return self.trigger.role

    def new_context(
        self, cancelled: Event | None = None, retry: RetryContext = FIRST_TRY
    ) -> FunctionContext:
        """One invocation of this function, and what tells that it is cancelled."""
        return FunctionContext(
            function_name=self.name,
            invocation_id=str(uuid4()),
            function_directory=str(self.directory),
            cancelled=cancelled or Event(),
            retry_context=retry,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFunction:
    """A function, or a whole module, that does not load.

    `error` is one readable line; `traceback` the full text if the author's code raised something.
    With `is_module` nobody knows which functions are missing: a whole `function_app.py` is.
    `goes_on` names the functions of it that ran before the app changed, and run on.
    """

    name: str
    directory: Path
    error: str
    traceback: str = ""
    is_module: bool = False
    goes_on: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"{self.name}.py" if self.is_module else f"Function {self.name}"
        rest = " (its former version goes on)" if self.goes_on else ""
        return f"{what} does not load: {self.error}{rest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """What works and is probably not meant. `where` names a function or a file of the app."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything that was found in the app's folder and those it includes."""

    functions: tuple[HostFunction, ...]
    broken: tuple[BrokenFunction, ...] = ()
    oddities: tuple[Oddity, ...] = ()
