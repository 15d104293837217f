"""Values and errors that go between the host and a worker process.

Values are pickled: both have the same app, whose classes are found by the names of their modules.
What tells a function that it is cancelled is no value: each side puts its own in its place.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from threading import Event
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Any, Final

from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy

from bindings.errors import FailureDetails
from host.core.failures import Caught, caught, message_of, summary
from host.workers.errors import FailedInWorkerError

_CANCELLED = "cancelled"
_READ_ONLY: Final[Mapping[type, type]] = {
    CIMultiDictProxy: CIMultiDict,
    MultiDictProxy: MultiDict,
}
"""What cannot be pickled itself, and what it shows can be: headers of requests, for one."""
_NO_POSITION = -1
"""Of a frame's place in its code: only its line is known."""


class _Packer(pickle.Pickler):
    def persistent_id(self, obj: Any) -> str | None:
        return _CANCELLED if isinstance(obj, Event) else None

    def reducer_override(self, obj: Any) -> Any:
        writable = _READ_ONLY.get(type(obj))
        return NotImplemented if writable is None else (type(obj), (writable(obj),))


class _ErrorPacker(pickle.Pickler):
    """For errors whose classes take other arguments than the text that they show."""

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if not issubclass(kind, BaseException) or kind.__reduce__ is not BaseException.__reduce__:
            return NotImplemented
        if not isinstance(kind.__init__, FunctionType):
            return NotImplemented  # made by C code, which keeps more than its arguments
        return _as_it_was, (kind, obj.args, vars(obj))


def _as_it_was(
    kind: type[BaseException], arguments: tuple[Any, ...], state: Mapping[str, Any]
) -> BaseException:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    vars(error).update(state)
    return error


class _Unpacker(pickle.Unpickler):
    def __init__(self, data: bytes, cancelled: Event) -> None:
        super().__init__(BytesIO(data))
        self._cancelled = cancelled

    def persistent_load(self, pid: Any) -> Any:
        assert pid == _CANCELLED  # noqa: S101 - the packer writes no other
        return self._cancelled


def pack(value: object) -> bytes:
    """The value as bytes. Raises whatever its classes raise, or what `pickle` does."""
    packed = BytesIO()
    _Packer(packed, pickle.HIGHEST_PROTOCOL).dump(value)
    return packed.getvalue()


def unpack(data: bytes, cancelled: Event) -> Any:
    """The value; `cancelled` stands where an `Event` was."""
    return _Unpacker(data, cancelled).load()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """One line of a traceback."""

    path: str
    name: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error on its way out of a worker."""

    error: bytes | None
    """Pickled; None if it cannot be, or would be another one when it is read."""
    details: FailureDetails
    frames: Sequence[_Frame]
    """Those of the author's code."""
    place: str


def pack_failure(error: BaseException) -> bytes:
    """All that can leave the process of an error. Never raises."""
    known = caught(error)
    failure = Failure(
        error=_pickled(error),
        details=known.details,
        frames=_frames_of(known.traceback),
        place=known.place,
    )
    return pickle.dumps(failure)


def unpack_failure(data: bytes) -> Caught:
    """The error as if it had been raised here. Never raises."""
    failure: Failure = pickle.loads(data)  # noqa: S301 - from a process that this one started
    error = None if failure.error is None else _read(failure.error)
    if error is None:
        error = FailedInWorkerError(summary(failure.details))
    traceback = _traceback_of(failure.frames)
    error.__traceback__ = traceback
    return Caught(error, failure.details, traceback, failure.place)


def _pickled(error: BaseException) -> bytes | None:
    try:
        packed = BytesIO()
        _ErrorPacker(packed, pickle.HIGHEST_PROTOCOL).dump(error)
        data = packed.getvalue()
        read = pickle.loads(data)  # noqa: S301 - just made
        is_same = type(read) is type(error) and message_of(read) == message_of(error)
        return data if is_same else None
    except BaseException:  # noqa: BLE001 - an author's class may raise anything
        return None


def _read(data: bytes) -> BaseException | None:
    try:
        error = pickle.loads(data)  # noqa: S301 - from a process that this one started
    except BaseException:  # noqa: BLE001 - an author's class may raise anything
        return None
    return error if isinstance(error, BaseException) else None


def _frames_of(traceback: TracebackType | None) -> list[_Frame]:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(
            _Frame(path=code.co_filename, name=code.co_qualname, line=traceback.tb_lineno)
        )
        traceback = traceback.tb_next
    return frames


def _traceback_of(frames: Sequence[_Frame]) -> TracebackType | None:
    traceback: TracebackType | None = None
    for each in reversed(frames):
        traceback = TracebackType(traceback, _frame_like(each), _NO_POSITION, max(each.line, 1))
    return traceback


def _frame_like(frame: _Frame) -> FrameType:
    """A frame that a traceback shows as this one."""
    name = frame.name.rpartition(".")[2]
    code: CodeType = _this_frame.__code__.replace(
        co_filename=frame.path, co_name=name, co_qualname=frame.name
    )
    made: Callable[[], FrameType] = FunctionType(code, {"sys": sys})
    return made()


def _this_frame() -> FrameType:
    return sys._getframe()  # noqa: SLF001 - how `inspect` has it, too


def outputs_of(arguments: Mapping[str, object], kind: type) -> dict[str, Any]:
    """The arguments that are of this kind, by name."""
    return {name: each for name, each in arguments.items() if isinstance(each, kind)}
