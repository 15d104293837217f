"""Runs a function for the blobs that notifications tell of, which come through a queue.

Rules of this file: a message is done when all blobs of it are that the function is meant for. What
one of them fails with is the message's failure: the queue's rules say what becomes of it.
"""

from __future__ import annotations

from typing import Any, Final

from bindings.blob_names import check_name
from bindings.errors import BlobNotFoundError, InvalidArgumentError
from bindings.functions import Binding, Direction
from bindings.kinds import queue
from bindings.kinds.blob_places import BlobEvent, BlobSource
from bindings.kinds.blobs import BlobRules
from bindings.kinds.records import TriggeredFunction
from bindings.queues import QueueMessage
from host.logs import HostLog
from host.triggers.s3_events import created_objects

MAX_REMEMBERED: Final = 1000
"""Of so many messages that come back it is known which of their blobs are done."""

_log = HostLog(__name__)


class NotifiedFunction:
    """A blob function as one that messages trigger: the `TriggeredFunction` of a queue."""

    def __init__(
        self, function: TriggeredFunction, source: BlobSource, queue_name: str, rules: BlobRules
    ) -> None:
        self._function = function
        self._source = source
        self._trigger = _queue_trigger(source, queue_name, rules)
        self._done: dict[str, set[str]] = {}
        """By messages that failed: the blobs of them that are done."""

    @property
    def name(self) -> str:
        """That of the blob function."""
        return self._function.name

    @property
    def trigger(self) -> Binding:
        """A trigger for the queue."""
        return self._trigger

    async def invoke(self, value: object) -> object:
        """Run the function for each blob that the message tells of.

        Raises `InvalidArgumentError` if it is no notification, else what the function raises.
        """
        if not isinstance(value, QueueMessage):
            raise TypeError(f"a message is expected, not {type(value).__name__}")
        done = self._done.pop(value.id, set())
        failure: Exception | None = None
        for event in self._events(value):
            if event.name in done:
                continue
            try:
                await self._run(event)
            except Exception as error:  # noqa: BLE001 - the other blobs of the message go on
                if failure is not None:
                    _log.warning("'%s' failed for '%s', too: %s", self.name, event.path, error)
                failure = failure or error
            else:
                done.add(event.name)
        if failure is not None:
            self._remember(value.id, done)
            raise failure
        return None

    def _events(self, message: QueueMessage) -> list[BlobEvent]:
        """The blobs that the function is meant for."""
        try:
            text = message.get_text()
        except UnicodeDecodeError as error:
            raise InvalidArgumentError("This is no notification of S3: it is no text.") from error
        names = created_objects(text, self._source.pattern.container)
        found = (self._source.event(name) for name in names if _can_be(name))
        return [event for event in found if event is not None]

    async def _run(self, event: BlobEvent) -> None:
        try:
            await self._function.invoke(event)
        except BlobNotFoundError as error:
            if error.path != event.path:
                raise
            _log.info("'%s' is gone, so '%s' does not run for it", event.path, self.name)

    def _remember(self, message_id: str, done: set[str]) -> None:
        if done:
            self._done[message_id] = done
        while len(self._done) > MAX_REMEMBERED:
            del self._done[next(iter(self._done))]


def _queue_trigger(source: BlobSource, queue_name: str, rules: BlobRules) -> Binding:
    """Takes so many messages that as many blobs are worked on as may be."""
    at_once = max(1, min(rules.max_parallel // 2, queue.MAX_BATCH))
    properties: dict[str, Any] = {
        "queueName": queue_name,
        "messageEncoding": "none",
        "maxDequeueCount": rules.max_tries,
        "batchSize": at_once,
        "newBatchThreshold": min(rules.max_parallel - at_once, queue.MAX_BATCH),
    }
    if source.connection is not None:
        properties["connection"] = source.connection
    return Binding(
        type=queue.TYPE, direction=Direction.IN, name="notification", properties=properties
    )


def _can_be(name: str) -> bool:
    """Whether there can be such a blob: what consoles make for a folder is none."""
    try:
        check_name(name)
    except InvalidArgumentError as error:
        _log.debug("A notification is passed over: %s", error)
        return False
    return True
