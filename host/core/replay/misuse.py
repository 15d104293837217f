"""What Python says of a task or a context that is misused, and what to write instead.

Python names the operation that failed ("unsupported operand", "is not iterable"), which says
nothing of the `await` that is missing. So the text of an error of Python's own that ends an
orchestrator goes on with a hint, if this table has one. Errors that the author catches stay as they
are.
"""

from __future__ import annotations

import linecache
import re
from typing import Final

from bindings.azure_names import CONTEXT
from bindings.context import OrchestrationContext
from host.core.frames import frames_of, runs_authors, traceback_of

_TASK: Final = r"'(?:Durable|Cancellable|Retry|Timer|Event|Led|Lock|WhenAll|WhenAny)Task'"
_NOT_AWAITED: Final = (
    "it is a task that was not awaited: write await before it (in a generator, yield); what "
    "when_any gives is a task, too"
)
_HINTS: Final = (
    (rf"{_TASK} object has no attribute 'is_faulted'", "use is_failed"),
    (rf"{_TASK} object has no attribute 'is_canceled'", "use is_cancelled"),
    (
        r"'LockTask' object does not support the context manager protocol",
        "write async with context.lock_entities(...) (in a generator, "
        "with (yield context.lock_entities(...)))",
    ),
    (
        r"'CriticalSection' object does not support the asynchronous context manager protocol",
        "leave out the await: async with context.lock_entities(...)",
    ),
    (_TASK, _NOT_AWAITED),
    (
        r"can't be used in 'await' expression|can't be awaited",
        "only durable tasks are awaited: set_custom_status, continue_as_new and send_event give "
        "none, nor does release, and a function that is called directly has run already (use "
        "context.call_activity(function, input))",
    ),
    (
        r"\.call_(?:activity|sub_orchestrator)\(\) got an unexpected keyword argument 'input'",
        "the input is the second argument, without a name",
    ),
    (
        r"\.(?:continue_as_new)\(\) got an unexpected keyword argument 'input'",
        "the input is the first argument, without a name",
    ),
    (
        r"\.wait_for_external_event\(\) takes .* positional arguments",
        "give the time-out by name: wait_for_external_event(name, type, timeout=timedelta(...))",
    ),
)
"""A pattern of the message, and what is said after it. The first one that is found counts."""
_PROPERTY: Final = re.compile(
    r"\.(current_utc_datetime|instance_id|is_cancelled|is_completed|is_failed|is_replaying|name"
    r"|parent_instance_id|result|version)\("
)


def explain(error: BaseException) -> None:
    """Add to the text of an error that Python raised what to write instead."""
    if type(error) not in (TypeError, AttributeError) or len(error.args) != 1:
        return
    text = error.args[0]
    if type(text) is not str:
        return
    hint = _hint(error, text)
    if hint is not None:
        error.args = (f"{text}: {hint}.",)


def _hint(error: BaseException, text: str) -> str | None:
    if isinstance(error, AttributeError) and isinstance(error.obj, OrchestrationContext):
        return CONTEXT.get(error.name or "")
    if text.endswith("object is not callable"):
        found = _PROPERTY.search(_authors_line(error))
        return None if found is None else f"{found[1]} is a value, no method: leave out its ()"
    return next((hint for pattern, hint in _HINTS if re.search(pattern, text)), None)


def _authors_line(error: BaseException) -> str:
    """The author's line that raised it, or nothing."""
    theirs = [each for each in frames_of(traceback_of(error)) if runs_authors(each[0])]
    if not theirs:
        return ""
    frame, line = theirs[-1]
    return linecache.getline(frame.f_code.co_filename, line)
