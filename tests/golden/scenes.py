"""What happened to the golden instances: one scene for every feature, played on a bench."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from host.core import history
from host.core.history import ParentInstance
from tests.golden import entity_functions, functions, http_functions
from tests.kit.bench import Bench
from tests.kit.history_builder import START, a_failure


@dataclass(frozen=True, slots=True)
class Scene:
    """An instance of one orchestrator, and what comes to it from outside."""

    name: str
    orchestrator: Callable[..., Any]
    play: Callable[[Bench], object]
    input: object = None
    row: dict[str, Any] = field(default_factory=dict)


def _run(bench: Bench) -> object:
    return bench.run()


def _let_timers_fire(bench: Bench) -> None:
    bench.run()
    bench.turn(seconds=60)
    bench.run()
    bench.turn(seconds=60)


def _race(bench: Bench) -> None:
    bench.turn()
    bench.turn(bench.done(2, "Hello two!"), seconds=1)


def _give_events(bench: Bench) -> None:
    bench.raise_event("NUMBER", 1).raise_event("unheard", {"kept": True}).turn()
    bench.raise_event("number", 2).turn(seconds=1)
    bench.raise_event("Word", "héllo").turn(seconds=1)


def _give_events_before_the_start(bench: Bench) -> None:
    for number in (1, 2):
        bench.raise_event("number", number)
    bench.raise_event("word", "early").turn()


def _wait_in_vain(bench: Bench) -> None:
    bench.turn()
    bench.turn(seconds=60)


def _end_children(bench: Bench) -> None:
    bench.turn()
    bench.child_done(2, 4).turn(seconds=1)
    bench.child_done(1, 2).turn(seconds=1)


def _fail_child(bench: Bench) -> None:
    bench.turn()
    failed = history.SubOrchestrationInstanceFailed(
        timestamp=bench.now, task_id=1, failure=a_failure("cannot double it", "TypeError")
    )
    bench.send(failed, execution_id=bench.state.execution_id).turn(seconds=1)


def _fail_twice(bench: Bench) -> None:
    bench.turn()
    bench.turn(_failed(bench), seconds=1)
    bench.turn(seconds=5)
    bench.turn(_failed(bench), seconds=1)
    bench.turn(seconds=10)


def _succeed_at_last(bench: Bench) -> None:
    _fail_twice(bench)
    bench.turn(bench.done(_open_task(bench), "at last"), seconds=1)


def _never_succeed(bench: Bench) -> None:
    _fail_twice(bench)
    bench.turn(_failed(bench), seconds=1)


def _failed(bench: Bench) -> history.TaskFailed:
    return bench.failed(_open_task(bench), a_failure("not yet", "ConnectionError"))


def _open_task(bench: Bench) -> int:
    (task_id,) = bench.state.ledger.open_activities
    return task_id


def _continue(bench: Bench) -> None:
    bench.turn()
    bench.raise_event("item", "a").raise_event("ITEM", "b").raise_event("other", "kept")
    while bench.turn(seconds=1) is not None:
        pass
    bench.raise_event("item", "c")
    while bench.turn(seconds=1) is not None:
        pass


def _suspend_and_resume(bench: Bench) -> None:
    bench.turn()
    bench.suspend().turn(bench.done(1, "Hello first!"), seconds=1)
    bench.resume().turn(seconds=60)
    bench.turn(bench.done(2, "Hello second!"), seconds=1)


def _suspend_before_the_start(bench: Bench) -> None:
    bench.suspend().turn()
    bench.resume().turn(seconds=60)
    bench.run()


def _terminate(bench: Bench) -> None:
    bench.turn()
    bench.terminate({"why": "enough"}).turn(seconds=1)


def _answer_partner(bench: Bench) -> None:
    bench.turn()
    bench.raise_event("pong").turn(seconds=1)


def _fail_activity(bench: Bench) -> None:
    bench.turn()
    bench.turn(bench.failed(1, a_failure("broken", "OSError")), seconds=1)


def _rewind_children(bench: Bench) -> None:
    _fail_child(bench)
    bench.rewind("the child was mended")
    bench.child_done(1, 2).turn(seconds=1)
    bench.run()


def _rewind_last_attempt(bench: Bench) -> None:
    _never_succeed(bench)
    bench.rewind("the service is back")
    bench.turn(_failed(bench), seconds=1)
    bench.rewind()
    bench.turn(bench.done(_open_task(bench), "at last"), seconds=1)


def _start_late(bench: Bench) -> None:
    bench.turn(seconds=3600)
    bench.run()


def _answer_requests(bench: Bench) -> None:
    """Busy, then accepted, then done; at last bytes that are no text."""
    poll = {"afterSeconds": 20.0, "uri": "https://example.com/jobs/1"}
    accepted = {"statusCode": 202, "headers": {"Location": "/jobs/1"}, "poll": poll}
    done = {"statusCode": 200, "headers": {"x-end": "yes"}, "content": '{"done":true}'}
    bench.turn()
    bench.turn(bench.done(1, {"statusCode": 503, "retryAfterSeconds": 7.0}), seconds=1)
    bench.turn(seconds=7)
    bench.turn(bench.done(4, accepted), seconds=1)
    bench.turn(seconds=20)
    bench.turn(bench.done(6, done), seconds=1)
    bench.turn(bench.done(7, {"statusCode": 202, "contentBase64": "/wA="}), seconds=1)


def _time_out_in_a_pause(bench: Bench) -> None:
    bench.turn()
    poll = {"afterSeconds": 86400.0, "uri": "https://else.example/", "isOtherOrigin": True}
    bench.turn(bench.done(1, {"statusCode": 202, "poll": poll}), seconds=1)
    bench.turn(seconds=3600)


def _answer_operations(bench: Bench) -> None:
    bench.turn()
    done = history.EntityOperationCompleted(timestamp=bench.now, task_id=3, result="3")
    bench.send(done, execution_id=bench.state.execution_id).turn(seconds=1)
    failed = history.EntityOperationFailed(
        timestamp=bench.now, task_id=4, failure=a_failure("no such thing", "ValueError")
    )
    bench.send(failed, execution_id=bench.state.execution_id).turn(seconds=1)


def _grant_and_answer(bench: Bench) -> None:
    """A section that an error leaves, and one that the end of the code leaves."""
    bench.turn()
    bench.send(history.EntityLockGranted(timestamp=bench.now, task_id=1), **_of(bench))
    bench.turn(seconds=1)
    failed = history.EntityOperationFailed(
        timestamp=bench.now, task_id=2, failure=a_failure("no such thing", "ValueError")
    )
    bench.send(failed, **_of(bench)).turn(seconds=1)
    bench.send(history.EntityLockGranted(timestamp=bench.now, task_id=5), **_of(bench))
    bench.turn(seconds=1)


def _lose_a_lock(bench: Bench) -> None:
    """Rewound within a section: its lock is asked for again, and its call made again."""
    bench.turn()
    bench.send(history.EntityLockGranted(timestamp=bench.now, task_id=1), **_of(bench))
    bench.turn(seconds=1)
    failed = history.EntityOperationFailed(
        timestamp=bench.now, task_id=2, failure=a_failure("not yet", "ValueError")
    )
    bench.send(failed, **_of(bench)).turn(seconds=1)
    bench.rewind("it is mended")
    (section,) = bench.state.ledger.sections
    bench.send(history.EntityLockGranted(timestamp=bench.now, task_id=section), **_of(bench))
    bench.turn(seconds=1)
    (call,) = bench.state.ledger.open_calls
    done = history.EntityOperationCompleted(timestamp=bench.now, task_id=call, result="7")
    bench.send(done, **_of(bench)).turn(seconds=1)


def _of(bench: Bench) -> dict[str, str]:
    return {"execution_id": bench.state.execution_id}


PARENT = ParentInstance(instance_id="a-parent", execution_id="f" * 32, task_id=3, name="parent")
NAMES = ["Tokyo", "Zürich", "東京"]

SCENES: Sequence[Scene] = (
    Scene("chain", functions.chain, _run, NAMES),
    Scene("chain_by_generator", functions.chain_by_generator, _let_timers_fire, NAMES),
    Scene("fan_out", functions.fan_out, _run, NAMES),
    Scene("race", functions.race, _race),
    Scene("timers", functions.timers, _let_timers_fire),
    Scene("events", functions.events, _give_events),
    Scene("events_before_the_start", functions.events, _give_events_before_the_start),
    Scene("event_timeout", functions.event_timeout, _wait_in_vain),
    Scene("sub_orchestrations", functions.parent, _end_children),
    Scene("failed_sub_orchestration", functions.parent_of_failing, _fail_child),
    Scene("child", functions.child, _run, 21, {"parent": PARENT}),
    Scene("retries", functions.retried, _succeed_at_last),
    Scene("retries_in_vain", functions.retried, _never_succeed),
    Scene("continue_as_new", functions.continued, _continue, []),
    Scene("suspend_and_resume", functions.two_steps, _suspend_and_resume),
    Scene("suspended_before_the_start", functions.two_steps, _suspend_before_the_start),
    Scene("terminate", functions.parent, _terminate),
    Scene("custom_status", functions.reporting, _let_timers_fire),
    Scene("send_event", functions.sending, _answer_partner),
    Scene(
        "version_and_tags",
        functions.versioned,
        _run,
        None,
        {"version": "2.0", "tags": {"team": "blue", "größe": "L"}},
    ),
    Scene("failure", functions.failing, _run),
    Scene("failed_activity", functions.not_caught, _fail_activity),
    Scene("rewound_sub_orchestration", functions.parent_of_failing, _rewind_children),
    Scene("rewound_retries", functions.retried, _rewind_last_attempt),
    Scene("http_jobs", http_functions.http_jobs, _answer_requests),
    Scene("http_jobs_in_vain", http_functions.http_jobs, _time_out_in_a_pause),
    Scene("entities", entity_functions.asks_entities, _answer_operations),
    Scene("critical_sections", entity_functions.locks_entities, _grant_and_answer),
    Scene("critical_section_rewound", entity_functions.locks_one, _lose_a_lock),
    Scene("big_payload", functions.big, _run, "0123456789" * 800),
    Scene(
        "scheduled_start",
        functions.two_steps,
        _start_late,
        None,
        {"scheduled_start_at": START + timedelta(hours=1)},
    ),
)
