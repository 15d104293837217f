"""host.json's `extensions.queues`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, field_validator

from bindings.kinds.queues import MessageEncoding, QueueOptions
from host.settings.sections import Section, member
from host.settings.timespans import Timespan

_MAX_PAUSE = timedelta(hours=12)
_MIN_RETENTION = timedelta(minutes=1)


class QueueSettings(Section):
    """`extensions.queues`: how functions are run for messages, and what queues of the hub keep.

    `messageEncoding` is `base64` by default in Azure; here bodies are plain text, as everybody else
    sends them. `retention` and `maxQueueBytes`, additions of this host, are for queues in the hub's
    own store. `maxPollingInterval` is accepted and not needed: nobody polls.
    """

    batch_size: Annotated[int, Field(ge=1, le=1000)] = 16
    new_batch_threshold: Annotated[int, Field(ge=0, le=1000)] | None = None
    max_dequeue_count: Annotated[int, Field(ge=1, le=1000)] = 5
    visibility_timeout: Timespan = timedelta()
    message_encoding: MessageEncoding = MessageEncoding.NONE
    max_polling_interval: Timespan | None = None
    retention: Timespan = timedelta(days=14)
    max_queue_bytes: Annotated[int, Field(ge=1)] = 1024 * 1024 * 1024

    @field_validator("message_encoding", mode="before")
    @classmethod
    def _fold_encoding(cls, value: Any) -> Any:
        return member(MessageEncoding, value)

    @field_validator("visibility_timeout")
    @classmethod
    def _check_pause(cls, pause: timedelta) -> timedelta:
        if pause > _MAX_PAUSE:
            raise ValueError("A message waits for 12 hours at most")
        return pause

    @field_validator("retention")
    @classmethod
    def _check_retention(cls, retention: timedelta) -> timedelta:
        if retention < _MIN_RETENTION:
            raise ValueError("Messages are kept for 1 minute at least")
        return retention

    @property
    def options(self) -> QueueOptions:
        """What listeners and outputs have to know."""
        return QueueOptions(
            encoding=self.message_encoding,
            batch_size=self.batch_size,
            new_batch_threshold=self.new_batch_threshold,
            max_dequeue_count=self.max_dequeue_count,
            visibility_timeout_s=self.visibility_timeout.total_seconds(),
        )
