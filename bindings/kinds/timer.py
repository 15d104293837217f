"""`timerTrigger`: the function runs at the times of a schedule."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bindings.errors import FunctionDefinitionError, InvalidArgumentError
from bindings.functions import Binding, Direction, names_setting
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.records import BindingKind, Call, FunctionFacts, Place, Reader, Trigger
from bindings.schedules import Schedule, SpanSchedule, parse_schedule, zone_of
from bindings.shown_values import shown_value
from bindings.timers import TimerRequest

TYPE: Final = "timerTrigger"
_FLAGS: Final[Mapping[str, bool]] = {"runOnStartup": False, "useMonitor": True}
_DEFAULT_ZONE = "UTC"


class TimerDecorators(Decorating):
    """The decorator of timer functions."""

    def timer_trigger(
        self,
        arg_name: str | None = None,
        schedule: str | None = None,
        run_on_startup: bool | None = None,
        use_monitor: bool | None = None,
        data_type: str | None = None,
        *,
        time_zone: str | None = None,
    ) -> Callable[[F], F]:
        """Run the function at the times of a schedule, once for all hosts of a hub.

        `schedule` is a cron expression with seconds (`0 */5 * * * *`) or without, or a time span
        (`00:05:00`); `%NAME%` stands for an app setting. `time_zone` is that of cron expressions:
        without it, that of the app setting `WEBSITE_TIME_ZONE`, else UTC. With `run_on_startup`
        it runs at each start of a host, too. With `use_monitor` (the default) due times that no
        host was there for are made up for, by one run.
        """
        check_called(arg_name, "timer_trigger")
        return self.add_binding(
            TYPE,
            Direction.IN,
            arg_name,
            schedule=schedule,
            runOnStartup=run_on_startup,
            useMonitor=use_monitor,
            timeZone=time_zone,
            dataType=data_type,
        )

    schedule = timer_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """What a complete timer trigger says."""

    schedule: Schedule
    zone: str
    runs_on_startup: bool
    is_monitored: bool
    """Whether due times are made up for, and runs that broke off repeated. Never those of a
    schedule that is due more than once a minute: the next time is near, and writing costs."""


def timer_of(trigger: Binding) -> Timer:
    """The timer of a trigger whose settings have their values. Raises `FunctionDefinitionError`."""
    given = trigger.properties
    zone = given.get("timeZone") or _DEFAULT_ZONE
    text = given.get("schedule")
    if not isinstance(text, str):
        raise FunctionDefinitionError(
            "The timer has no schedule: write one as a text, such as '0 */5 * * * *' for every "
            f"five minutes{'' if text is None else f', not {shown_value(text)}'}."
        )
    if not isinstance(zone, str):
        raise FunctionDefinitionError(f"'timeZone' must be a text, not {shown_value(zone)}.")
    try:
        schedule = parse_schedule(text, zone_of(zone))
    except ValueError as error:
        raise FunctionDefinitionError(f"The timer does not run: {error}.") from None
    flags = {name: _flag(given.get(name, usual), name) for name, usual in _FLAGS.items()}
    return Timer(
        schedule=schedule,
        zone=zone,
        runs_on_startup=flags["runOnStartup"],
        is_monitored=flags["useMonitor"] and not schedule.is_frequent,
    )


def _complete(trigger: Binding, _: FunctionFacts) -> Binding:
    """The trigger as it is, if it is right. What names an app setting is looked at later again."""
    if not any(names_setting(each) for each in trigger.properties.values()):
        timer_of(trigger)
    return trigger


def _flag(value: object, name: str) -> bool:
    """A truth, or its text: so it comes out of an app setting."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise FunctionDefinitionError(f"'{name}' must be true or false, not {shown_value(value)}.")
    return value


def _read(place: Place) -> Reader:
    """A parameter that is a text or a dict gets the JSON that Azure gives to other languages."""
    hint = place.annotation
    as_dict = hint is dict or typing.get_origin(hint) is dict

    def read(value: object, _: Call) -> object:
        if not isinstance(value, TimerRequest) or not (as_dict or hint is str):
            return value
        return value.to_json() if as_dict else json.dumps(value.to_json())

    return read


def _by_hand(text: str | None, now: datetime) -> TimerRequest:
    """A run for now, or for the due time that the text is: one that is to be made up for."""
    if not text:
        return TimerRequest(due_at=now)
    try:
        due_at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgumentError(
            f"'{text:.100}' is no time: give the due time of the run, such as "
            "2026-01-31T08:00:00Z, or nothing."
        ) from None
    due_at = due_at.replace(tzinfo=due_at.tzinfo or UTC).astimezone(UTC)
    return TimerRequest(due_at=due_at, past_due=due_at < now)


def _shown(trigger: Binding, _: str) -> str:
    timer = timer_of(trigger)
    is_span = isinstance(timer.schedule, SpanSchedule)
    return f"every {timer.schedule.text}" if is_span else f"{timer.schedule.text}  {timer.zone}"


def _odd(trigger: Binding, *, is_shared: bool) -> Iterator[str]:
    if not is_shared:
        return
    timer = timer_of(trigger)
    if timer.schedule.is_frequent:
        yield (
            f"its schedule '{timer.schedule.text}' is due more than once a minute, and each run "
            "is written to the hub twice: an orchestration that waits by create_timer may do."
        )
    if timer.runs_on_startup:
        yield (
            "it has runOnStartup on a hub that hosts share: it runs at every start of each of "
            "them. If once is meant, start an orchestration with a fixed id."
        )


TIMER_TRIGGER = BindingKind(
    type=TYPE,
    about="a `TimerRequest`",
    trigger=Trigger(
        decorator="timer_trigger",
        read=_read,
        by_hand_at=_by_hand,
        shown=_shown,
        odd=_odd,
    ),
    properties={
        "schedule": {
            "type": "string",
            "description": "a cron expression of six fields (seconds first) or five, or a time "
            "span `hh:mm:ss`",
        },
        "timeZone": {
            "type": "string",
            "description": "the time zone of a cron expression, such as `Europe/Berlin`; without "
            "it that of the app setting `WEBSITE_TIME_ZONE`, else UTC",
        },
        "runOnStartup": {
            "type": "boolean",
            "default": False,
            "description": "run at each start of a host, too",
        },
        "useMonitor": {
            "type": "boolean",
            "default": True,
            "description": "make up for due times that no host was there for, by one run, and "
            "repeat a run that broke off with its host; not for schedules that are due more than "
            "once a minute",
        },
    },
    by_setting={"timeZone": "WEBSITE_TIME_ZONE"},
    annotation=TimerRequest,
    customary_names=("timer", "mytimer"),
    default_name="timer",
    complete=_complete,
)
