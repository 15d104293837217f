"""Leads one orchestrator through answers that a test gives, without a host, a store or a loop.

How it works. The code runs in the same `Execution` as on a host. What it does is answered at once,
in its order; then waits for events get theirs; then, if it still waits, the first timer fires.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from inspect import Parameter, iscoroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from bindings.entity_ids import EntityId
from bindings.errors import InvalidArgumentError
from bindings.functions import Binding, Direction, FunctionDeclaration
from bindings.kinds.records import Role
from bindings.shown_values import shown_value
from bindings.signatures import hints_of, named_parameters
from host.core import history
from host.core.converter import Converter
from host.core.executors import Deed
from host.core.failures import failure_of
from host.core.functions import ActivityFunction, FunctionCatalog, OrchestratorFunction
from host.core.history import HistoryEvent, Payload
from host.core.http_calls import HTTP_ACTIVITY, read_order
from host.core.records import Unchanged
from host.core.replay.execution import Execution
from host.core.replay.waits import EventTask, TimerTask
from host.core.timers import Timers
from host.functions.orchestrators import build_orchestrator, result_type_of
from host.testing.answers import NEVER, Answer, answer_of
from host.testing.http_fakes import CALL_HTTP, MissingAnswerError, payload_of, unanswered
from host.testing.manual_clock import START

MAX_STEPS = 10_000
"""How often one orchestrator is led on: who waits for ever is to be told so."""
EXECUTION_ID = "0" * 32

_Call: TypeAlias = history.TaskScheduled | history.SubOrchestrationInstanceCreated
Answers: TypeAlias = Mapping[Any, Any]
"""What is answered, by the function that is called, its name, or the name of an event; mixed."""


class FakeContext:
    """What surrounds an orchestrator in a unit test: `FakeContext(input, answers).run(function)`.

    `answers` says what activities, sub-orchestrations and events bring: by function or name, a
    value, an exception to raise, a plain function that is called with the input, or `NEVER`. An
    event without an answer does not come. "call_http" is the name for requests, whose functions are
    called with a `DurableHttpRequest`; the answer is a `DurableHttpResponse`. Operations of an
    entity are answered by its `EntityId`, else by its function or name; a function is called with
    the `EntityId`, the operation's name and the input. Timers fire by themselves when the code
    waits for nothing that is answered; `start` is the time at the beginning.
    """

    def __init__(
        self,
        input: Any = None,  # noqa: A002 - the name that clients have for it
        answers: Answers | None = None,
        *,
        instance_id: str = "test",
        version: str | None = None,
        start: datetime = START,
    ) -> None:
        self._input = input
        self._catalog = _AnyFunction()
        self._answers: dict[str | EntityId, Any] = {}
        for key, what in (answers or {}).items():
            is_id = isinstance(key, EntityId)
            self._answers[key if is_id else self._catalog.name_of(key).casefold()] = what
        self._instance_id = instance_id
        self._version = version
        self._converter = Converter()
        self.now = start
        """The time that the orchestrator has come to."""
        self.called: list[tuple[str, Any]] = []
        """The activities and sub-orchestrations that were called, in order: name and input.

        A request of `call_http` stands as `("call_http", DurableHttpRequest(...))`.
        """
        self.sent: list[tuple[str, str, Any]] = []
        """The events that were sent, in order: instance id, name and data."""
        self.operations: list[tuple[EntityId, str, Any]] = []
        """The operations of entities that were called, in order: entity, operation and input."""
        self.signals: list[tuple[EntityId, str, Any]] = []
        """Those that were signalled."""
        self.custom_status: Any = None
        """The last that was set."""
        self.next_input: Any = None
        """With what the orchestrator continued as new."""
        self.next_version: str | None = None
        """In which other version it did; None for the same."""
        self.has_continued = False
        """Whether it continued as new; then `run` gives None."""

    if not TYPE_CHECKING:  # a checker says by itself what is missing

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"A FakeContext has no '{name}'. It is no context to be passed on: it runs the "
                "orchestrator, FakeContext(input, answers).run(orchestrator)."
            )

    def run(self, orchestrator: Callable[..., Any]) -> Any:
        """Run the orchestrator to its end; its result, or what it raises.

        Raises `MissingAnswerError` where it waits for what has no answer.
        """
        function = build_orchestrator(_declaration(orchestrator))
        execution = _WatchedExecution(self._instance_id, function, self._catalog, self._converter)
        try:
            execution.feed(history.OrchestratorStarted(timestamp=self.now))
            execution.feed(self._started(function))
            for _ in range(MAX_STEPS):
                if execution.outcome is not None:
                    return self._end(function, execution)
                self._lead_on(execution)
        finally:
            self._note(execution)
            execution.close()
        raise MissingAnswerError(
            f"After {MAX_STEPS:,} steps '{function.name}' has not ended: does it wait for ever?"
        )

    def _started(self, function: OrchestratorFunction) -> history.ExecutionStarted:
        what = f"The input of orchestrator '{function.name}'"
        return history.ExecutionStarted(
            timestamp=self.now,
            name=function.name,
            execution_id=EXECUTION_ID,
            version=self._version,
            input=self._converter.to_payload(self._input, what, function.input_type),
        )

    def _lead_on(self, execution: _WatchedExecution) -> None:
        """Answer what the code did; else what it waits for; else let a timer fire."""
        answers = self._answered(self._note(execution))
        for each in answers or self._events(execution.waits) or self._fired(execution):
            execution.feed(each)

    def _note(self, execution: _WatchedExecution) -> Sequence[Deed]:
        """Take down what the code did since the last time."""
        output = execution.take_output()
        if not isinstance(output.custom_status, Unchanged):
            self.custom_status = self._read(output.custom_status)
        for deed in output.actions:
            match deed:
                case history.TaskScheduled(name=name) if name == HTTP_ACTIVITY:
                    self.called.append((CALL_HTTP, read_order(deed.input).to_request()))
                case history.TaskScheduled() | history.SubOrchestrationInstanceCreated():
                    self.called.append((deed.name, self._read(deed.input)))
                case history.EventSent():
                    self.sent.append((deed.instance_id, deed.name, self._read(deed.input)))
                case history.EntityOperationCalled():
                    self.operations.append(self._operation(deed))
                case history.EntityOperationSignaled():
                    self.signals.append(self._operation(deed))
                case history.EntityLockRequested() | history.EntityUnlockSent():
                    pass
                case history.TimerCreated():
                    execution.timers.add(deed.task_id, deed.fire_at)
        return output.actions

    def _answered(self, deeds: Sequence[Deed]) -> list[HistoryEvent]:
        found: list[HistoryEvent] = []
        for deed in deeds:
            if isinstance(deed, history.EntityLockRequested):  # nobody else is there to have it
                granted = history.EntityLockGranted(timestamp=self.now, task_id=deed.task_id)
                found.append(granted)
            elif isinstance(deed, history.EntityOperationCalled):
                what = self._answer_of_entity(deed)
                if what is not NEVER:
                    found.append(self._operation_result(deed, answer_of(what)))
            elif isinstance(deed, _Call):
                what = self._answer_to(deed)
                if what is not NEVER:
                    found.append(self._result(deed, answer_of(what)))
        return found

    def _operation(
        self, deed: history.EntityOperationCalled | history.EntityOperationSignaled
    ) -> tuple[EntityId, str, Any]:
        return EntityId.parse(deed.instance_id), deed.operation, self._read(deed.input)

    def _answer_of_entity(self, deed: history.EntityOperationCalled) -> Any:
        entity_id = EntityId.parse(deed.instance_id)
        for key in (entity_id, entity_id.name.casefold()):
            if key in self._answers:
                return self._answers[key]
        raise MissingAnswerError(
            f"The orchestrator calls '{deed.operation}' of '{entity_id}' with "
            f"{deed.input or 'nothing'}, and the test gives no answer to that. It has answers for: "
            f"{self._known()}."
        )

    def _operation_result(
        self, deed: history.EntityOperationCalled, answer: Answer
    ) -> HistoryEvent:
        try:
            value = answer(*self._operation(deed))
        except Exception as error:  # noqa: BLE001 - what the test wants to be raised
            failure = failure_of(error)
            return history.EntityOperationFailed(
                timestamp=self.now, task_id=deed.task_id, failure=failure
            )
        what = f"{deed.operation}' of '{deed.instance_id}"
        _refuse_coroutine(what, value)
        payload = self._converter.to_payload(value, f"The result of '{what}'")
        return history.EntityOperationCompleted(
            timestamp=self.now, task_id=deed.task_id, result=payload
        )

    def _answer_to(self, deed: _Call) -> Any:
        is_http = deed.name == HTTP_ACTIVITY
        try:
            return self._answers[CALL_HTTP if is_http else deed.name.casefold()]
        except KeyError:
            if is_http:
                raise MissingAnswerError(unanswered(read_order(deed.input))) from None
            raise MissingAnswerError(
                f"The orchestrator calls '{deed.name}' with {deed.input or 'nothing'}, and the "
                f"test gives no answer to that. It has answers for: {self._known()}."
            ) from None

    def _result(
        self,
        deed: _Call,
        answer: Answer,
    ) -> HistoryEvent:
        """What an activity, or a child, gives."""
        is_child = isinstance(deed, history.SubOrchestrationInstanceCreated)
        if deed.name == HTTP_ACTIVITY and not is_child:
            return self._http_result(deed, answer)
        try:
            value = answer(self._read(deed.input, self._catalog.input_type(deed.name)))
        except Exception as error:  # noqa: BLE001 - what the test wants to be raised
            failed = history.SubOrchestrationInstanceFailed if is_child else history.TaskFailed
            return failed(timestamp=self.now, task_id=deed.task_id, failure=failure_of(error))
        _refuse_coroutine(deed.name, value)
        payload = self._converter.to_payload(value, f"The result of '{deed.name}'")
        completed = history.SubOrchestrationInstanceCompleted if is_child else history.TaskCompleted
        return completed(timestamp=self.now, task_id=deed.task_id, result=payload)

    def _http_result(self, deed: _Call, answer: Answer) -> HistoryEvent:
        order = read_order(deed.input)
        try:
            response = answer(order.to_request())
        except Exception as error:  # noqa: BLE001 - what the test wants to be raised
            failure = failure_of(error)
            return history.TaskFailed(timestamp=self.now, task_id=deed.task_id, failure=failure)
        _refuse_coroutine(CALL_HTTP, response)
        result = payload_of(order, response, self.now)
        return history.TaskCompleted(timestamp=self.now, task_id=deed.task_id, result=result)

    def _events(self, waits: Sequence[EventTask]) -> list[HistoryEvent]:
        """What comes for the first wait that has an answer."""
        for wait in waits:
            what = self._answers.get(wait.name.casefold(), NEVER)
            if what is not NEVER:
                data = self._converter.to_payload(
                    answer_of(what)(), f"The data of event '{wait.name}'"
                )
                return [history.EventRaised(timestamp=self.now, name=wait.name, input=data)]
        return []

    def _fired(self, execution: _WatchedExecution) -> list[HistoryEvent]:
        while (due := execution.timers.next_due()) is not None:
            self.now = max(self.now, due)
            timer = execution.timers.due(self.now)[0]
            execution.timers.drop(timer.task_id)
            if execution.is_open(timer.task_id):
                return [
                    history.OrchestratorStarted(timestamp=self.now),
                    history.TimerFired(
                        timestamp=self.now, task_id=timer.task_id, fire_at=timer.fire_at
                    ),
                ]
        names = ", ".join(f"event '{each.name}'" for each in execution.waits)
        raise MissingAnswerError(
            f"The orchestrator waits for {names or 'what never ends'}, and the test gives no "
            f"answer to that. It has answers for: {self._known()}."
        )

    def _end(self, function: OrchestratorFunction, execution: Execution) -> Any:
        if isinstance(execution.outcome, history.ContinueAsNew):
            self.has_continued = True
            self.next_input = self._read(execution.outcome.input)
            self.next_version = execution.outcome.version
            return None
        if execution.error is not None:
            raise execution.error.error
        assert execution.outcome is not None  # noqa: S101 - nobody asks before the end
        return self._read(execution.outcome.result, function.result_type)

    def _read(self, payload: Payload, expected_type: Any = None) -> Any:
        return self._converter.from_payload(payload, expected_type, "A value of the test")

    def _known(self) -> str:
        return ", ".join(sorted(map(str, self._answers))) or "nothing"


class _WatchedExecution(Execution):
    """An execution that says what its code waits for."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.timers = Timers()
        self._waits: list[EventTask] = []

    @property
    def waits(self) -> Sequence[EventTask]:
        """The waits for events that are open, in order."""
        self._waits = [each for each in self._waits if not each.is_completed]
        return self._waits

    def wait_for_event(self, name: str, data_type: Any, timer: TimerTask | None) -> EventTask:
        """See `Execution.wait_for_event`."""
        wait = super().wait_for_event(name, data_type, timer)
        self._waits.append(wait)
        return wait


class _AnyFunction(FunctionCatalog):
    """Knows every function by its own name, whether it is registered or not."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}

    def name_of(self, function: Callable[..., Any] | str, _role: Role = Role.ACTIVITY) -> str:
        """The name of the Python function; of a string the string itself."""
        if isinstance(function, str):
            return function
        name = getattr(function, "__name__", None)
        if not isinstance(name, str):
            raise InvalidArgumentError(
                f"{shown_value(function)} has no name: give the function, or its name."
            )
        self._functions[name.casefold()] = function
        return name

    def activity(self, name: str) -> ActivityFunction | None:
        """What its annotations say, if it was called by reference."""
        function = self._functions.get(name.casefold())
        return function and ActivityFunction(name=name, result_type=result_type_of(function))

    def orchestrator(self, name: str, _version: str | None = None) -> OrchestratorFunction | None:
        """Likewise."""
        function = self._functions.get(name.casefold())
        return function and build_orchestrator(_declaration(function))

    def orchestrator_names(self) -> Sequence[str]:
        """Nobody asks."""
        return ()

    def input_type(self, name: str) -> Any:
        """The annotation of the only parameter besides a context; None if that is not certain."""
        function = self._functions.get(name.casefold())
        if function is None:
            return None
        hints = hints_of(function)
        parameters = [
            each
            for each in named_parameters(function).values()
            if each.kind is not Parameter.KEYWORD_ONLY and each.name != "context"
        ]
        return hints.get(parameters[0].name) if len(parameters) == 1 else None


def _declaration(function: Callable[..., Any]) -> FunctionDeclaration:
    name = getattr(function, "__name__", type(function).__name__)
    trigger = Binding(type="orchestrationTrigger", direction=Direction.IN, name="context")
    return FunctionDeclaration(name=name, function=function, trigger=trigger)


def _refuse_coroutine(name: str, value: object) -> None:
    if iscoroutine(value):
        value.close()
        raise InvalidArgumentError(
            f"The answer to '{name}' is an `async def`: a FakeContext takes plain functions."
        )
