"""`queue`: messages that functions send."""

from __future__ import annotations

import hashlib
import math
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bindings.errors import FunctionDefinitionError
from bindings.expressions import Template, template
from bindings.functions import Binding, Direction, names_setting
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.queue_properties import COMMON, connection_name, encoded, member, queue_name
from bindings.kinds.queue_rules import refused
from bindings.kinds.queues import MessageEncoding, OutgoingMessage, is_fifo
from bindings.kinds.records import BindingKind, Call, FunctionFacts, Output, Place, Taker
from bindings.queues import OutgoingQueueMessage, QueueMessage
from bindings.shown_values import shown_value

TYPE: Final = "queue"


class QueueOutputDecorators(Decorating):
    """The decorator of messages that functions send."""

    def queue_output(
        self,
        arg_name: str,
        queue_name: str | None = None,
        connection: str | None = None,
        data_type: str | None = None,
        *,
        message_group_id: str | None = None,
        message_encoding: str | None = None,
    ) -> Callable[[F], F]:
        """Send what the function sets, or with the name `$return` what it returns, to a queue.

        A list is a message each, None is none. `queue_name` and `message_group_id` (which messages
        for FIFO queues need) can have expressions: `{customer}`.
        """
        check_called(arg_name, "queue_output")
        return self.add_binding(
            TYPE,
            Direction.OUT,
            arg_name,
            queueName=queue_name,
            connection=connection,
            dataType=data_type,
            messageGroupId=message_group_id,
            messageEncoding=message_encoding,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    """Sends what a function gives."""

    queue: Template
    group: Template | None
    connection: str | None
    encoding: MessageEncoding | None
    name: str

    def take(self, value: object, call: Call) -> Awaitable[None] | None:
        """Send it: a list is a message each."""
        values = value if type(value) in {list, tuple} else [value]
        items = [each for each in typing.cast("Sequence[object]", values) if each is not None]
        if not items:
            return None
        queue = self.queue.render(call.data)
        messages = [self._message(each, call, queue, at) for at, each in enumerate(items)]
        return self._send(queue, messages, call)

    async def _send(self, queue: str, messages: Sequence[OutgoingMessage], call: Call) -> None:
        await call.resources.queue(queue, self.connection).send(messages)

    def _message(self, value: object, call: Call, queue: str, number: int) -> OutgoingMessage:
        said = value if isinstance(value, OutgoingQueueMessage) else _said(value)
        _check_types(said, queue)
        encoding = self.encoding or call.resources.queue_options.encoding
        delay = said.delay
        return OutgoingMessage(
            body=encoded(self._body(said.body, call), encoding),
            group_id=said.group_id or self._group(call, queue),
            deduplication_id=said.deduplication_id or self._repeat_id(call, number),
            delay_s=delay.total_seconds() if isinstance(delay, timedelta) else delay,
            attributes=said.attributes,
        )

    def _body(self, body: object, call: Call) -> str | bytes:
        if isinstance(body, str | bytes):
            return body
        if isinstance(body, bytearray | memoryview):
            return bytes(body)
        return call.json.to_payload(body, f"A message of '{self.name}'") or "null"

    def _group(self, call: Call, queue: str) -> str | None:
        is_wanted = self.group is not None and is_fifo(queue)
        return self.group.render(call.data) if is_wanted and self.group is not None else None

    def _repeat_id(self, call: Call, number: int) -> str | None:
        """The same when the activity runs again for its task."""
        if call.repeat_id is None:
            return None
        return hashlib.sha256(f"{call.repeat_id}\n{self.name}\n{number}".encode()).hexdigest()


def _check_types(said: OutgoingQueueMessage, queue: str) -> None:
    """Raise `InvalidArgumentError` for fields that an author filled with something else."""
    delay, attributes = said.delay, said.attributes
    is_number = isinstance(delay, int | float) and not isinstance(delay, bool)
    if not isinstance(delay, timedelta) and not (is_number and math.isfinite(delay)):
        raise refused(queue, f"its delay is {shown_value(delay)}: use a timedelta, or seconds")
    ids = {"group id": said.group_id, "deduplication id": said.deduplication_id}
    for what, given in ids.items():
        if not isinstance(given, str | None):
            raise refused(queue, f"its {what} is {shown_value(given)}: use a text")
    if not isinstance(attributes, Mapping):
        raise refused(queue, f"its attributes are {shown_value(attributes)}: use a dict of texts")
    for name, given in attributes.items():
        if not isinstance(name, str) or not isinstance(given, str):
            raise refused(
                queue, f"its attribute {shown_value(name)} is {shown_value(given)}: use texts"
            )


def _said(value: object) -> OutgoingQueueMessage:
    if isinstance(value, QueueMessage):
        return OutgoingQueueMessage(body=value.body, group_id=value.group_id)
    return OutgoingQueueMessage(body=value)


def _take(place: Place) -> Taker:
    given = place.binding.properties
    group = given.get("messageGroupId")
    if group is not None and not isinstance(group, str):
        raise FunctionDefinitionError(f"'messageGroupId' must be a text, not {shown_value(group)}.")
    name = queue_name(given.get("queueName"))
    output = _Output(
        queue=template(name, "The queueName"),
        group=None if group is None else template(group, "The messageGroupId"),
        connection=connection_name(given),
        encoding=member(given, "messageEncoding", MessageEncoding),
        name=place.binding.name,
    )
    if output.queue.is_constant and is_fifo(name) and group is not None and not group:
        raise FunctionDefinitionError("'messageGroupId' is empty.")
    return output.take


def _complete_output(output: Binding, _: FunctionFacts) -> Binding:
    if not any(map(names_setting, output.properties.values())):
        _take(Place(binding=output, function_name=""))
    return output


QUEUE = BindingKind(
    type=TYPE,
    about="a message, or a list of messages: `str`, `bytes`, what JSON can be made of, or an "
    "`OutgoingQueueMessage`",
    output=Output(take=_take, decorator="queue_output"),
    properties={
        **COMMON,
        "messageGroupId": {
            "type": "string",
            "description": "of a FIFO queue: the group in which the messages are in order",
        },
    },
    complete=_complete_output,
)
