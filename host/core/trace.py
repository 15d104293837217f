"""Which trace an execution belongs to, by W3C Trace Context. Pure: ids are derived, never drawn.

A trace is kept with the start of an execution, so it is the same on replay and on every host. Spans
have the ids that follow from whose work they are: whoever does it, and however often.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

import msgspec

_HEADER: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
_TRACE: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN: Final = re.compile(r"(?!0{16})[0-9a-f]{16}")


class TraceContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The trace of an execution. Ids are in lower-case hexadecimal digits."""

    trace_id: str
    parent_id: str = ""
    """The span that has started the execution; empty if it is the trace's root."""
    linked_trace_id: str = ""
    """The trace of the execution that continued as this one; empty for none."""
    linked_span_id: str = ""
    is_sampled: bool = True
    """Whether spans are to be sent; whoever began the trace decides that."""

    @property
    def is_sound(self) -> bool:
        """Whether the ids are ids: an imported instance may say anything."""
        return bool(
            _TRACE.fullmatch(self.trace_id)
            and (not self.parent_id or _SPAN.fullmatch(self.parent_id))
            and (not self.linked_trace_id or _TRACE.fullmatch(self.linked_trace_id))
            and (not self.linked_span_id or _SPAN.fullmatch(self.linked_span_id))
        )


def read_traceparent(header: str) -> TraceContext | None:
    """The trace and the span that a `traceparent` header names; None if it is none."""
    found = _HEADER.fullmatch(header.strip())
    if found is None or not (_TRACE.fullmatch(found[1]) and _SPAN.fullmatch(found[2])):
        return None
    is_sampled = bool(int(found[3], 16) & 1)
    return TraceContext(trace_id=found[1], parent_id=found[2], is_sampled=is_sampled)


def traceparent(trace: TraceContext, span_id: str) -> str:
    """The header that says that this span asks."""
    return f"00-{trace.trace_id}-{span_id}-{'01' if trace.is_sampled else '00'}"


def root_of(execution_id: str) -> TraceContext:
    """The trace that an execution begins."""
    return TraceContext(trace_id=sha256(f"trace:{execution_id}".encode()).hexdigest()[:32])


def span_of(execution_id: str, task_id: int | None = None) -> str:
    """The id of the span of an execution, or of what its code asked for as this task."""
    text = f"span:{execution_id}" if task_id is None else f"span:{execution_id}:{task_id}"
    return sha256(text.encode()).hexdigest()[:16]


def within(trace: TraceContext | None, execution_id: str) -> TraceContext | None:
    """The trace of what this execution starts; None if its own is not kept."""
    if trace is None or not trace.is_sound:
        return None
    return TraceContext(
        trace_id=trace.trace_id, parent_id=span_of(execution_id), is_sampled=trace.is_sampled
    )


def following(
    trace: TraceContext | None, execution_id: str, next_execution_id: str
) -> TraceContext | None:
    """The trace of the execution that this one continues as: a new one, linked to this."""
    if trace is None or not trace.is_sound:
        return None
    return TraceContext(
        trace_id=root_of(next_execution_id).trace_id,
        linked_trace_id=trace.trace_id,
        linked_span_id=span_of(execution_id),
        is_sampled=trace.is_sampled,
    )
