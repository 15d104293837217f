"""`queueTrigger`: functions that messages run."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from bindings.azure_names import of_azure
from bindings.errors import FunctionDefinitionError, InvalidArgumentError, SerializationError
from bindings.functions import Binding, Direction, names_setting
from bindings.hints import alternatives
from bindings.kinds.decorating import Decorating, F, check_called
from bindings.kinds.queue_properties import (
    COMMON,
    connection_name,
    decoded,
    member,
    number,
    pause,
    queue_name,
)
from bindings.kinds.queue_rules import check_name
from bindings.kinds.queues import MessageEncoding, QueueOptions, ReceivedMessage
from bindings.kinds.records import BindingKind, Call, FunctionFacts, Place, Reader, Trigger
from bindings.queues import QueueMessage, UnfitMessages

TYPE: Final = "queueTrigger"
MAX_BATCH: Final = 1000
_MAX_TRIES: Final = 1000

_SAID: Final = (
    "queueTrigger",
    "Id",
    "DequeueCount",
    "ExpirationTime",
    "InsertionTime",
    "NextVisibleTime",
    "PopReceipt",
    "GroupId",
)
"""What expressions can name besides the properties of a JSON object."""

_Convert = Callable[[QueueMessage, Call], object]


class Cardinality(StrEnum):
    """How many messages one run of a function gets."""

    ONE = "one"
    MANY = "many"


class QueueDecorators(Decorating):
    """The decorator of functions that messages run."""

    def queue_trigger(
        self,
        arg_name: str | None = None,
        queue_name: str | None = None,
        connection: str | None = None,
        data_type: str | None = None,
        *,
        cardinality: str | None = None,
        message_encoding: str | None = None,
        batch_size: int | None = None,
        new_batch_threshold: int | None = None,
        max_dequeue_count: int | None = None,
        visibility_timeout: str | timedelta | None = None,
    ) -> Callable[[F], F]:
        """Run the function for each message of a queue, or with `cardinality="many"` for batches.

        Without a `connection` the queue goes with the hub. A message whose run fails comes back
        after `visibility_timeout`; after `max_dequeue_count` tries it goes into the queue that has
        `-poison` after its name. What is not said is as `extensions.queues` of host.json has it.
        """
        check_called(arg_name, "queue_trigger")
        return self.add_binding(
            TYPE,
            Direction.IN,
            arg_name,
            queueName=queue_name,
            connection=connection,
            dataType=data_type,
            cardinality=cardinality,
            messageEncoding=message_encoding,
            batchSize=batch_size,
            newBatchThreshold=new_batch_threshold,
            maxDequeueCount=max_dequeue_count,
            visibilityTimeout=visibility_timeout,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTrigger:
    """What a complete queue trigger says. None: what goes for all queues."""

    queue: str
    connection: str | None
    cardinality: Cardinality
    encoding: MessageEncoding | None
    batch_size: int | None
    new_batch_threshold: int | None
    max_dequeue_count: int | None
    visibility_timeout: timedelta | None

    def options(self, of_all: QueueOptions) -> QueueOptions:
        """What goes for this function."""
        wait = self.visibility_timeout
        size = self.batch_size
        threshold = self.new_batch_threshold
        if threshold is None and size is None:
            threshold = of_all.new_batch_threshold
        return QueueOptions(
            encoding=self.encoding or of_all.encoding,
            batch_size=size or of_all.batch_size,
            new_batch_threshold=threshold,
            max_dequeue_count=self.max_dequeue_count or of_all.max_dequeue_count,
            visibility_timeout_s=(
                of_all.visibility_timeout_s if wait is None else wait.total_seconds()
            ),
        )


def queue_trigger_of(trigger: Binding) -> QueueTrigger:
    """The trigger, when settings have their values. Raises `FunctionDefinitionError`."""
    given = trigger.properties
    name = queue_name(given.get("queueName"))
    if ":" not in name and "/" not in name:
        try:
            check_name(name)
        except InvalidArgumentError as error:
            raise FunctionDefinitionError(str(error)) from None
    return QueueTrigger(
        queue=name,
        connection=connection_name(given),
        cardinality=member(given, "cardinality", Cardinality) or Cardinality.ONE,
        encoding=member(given, "messageEncoding", MessageEncoding),
        batch_size=number(given, "batchSize", 1, MAX_BATCH),
        new_batch_threshold=number(given, "newBatchThreshold", 0, MAX_BATCH),
        max_dequeue_count=number(given, "maxDequeueCount", 1, _MAX_TRIES),
        visibility_timeout=pause(given.get("visibilityTimeout")),
    )


def message_of(received: ReceivedMessage, encoding: MessageEncoding) -> QueueMessage:
    """The message for a function. Raises `InvalidArgumentError` if it is not written so."""
    return QueueMessage(
        body=decoded(received.body, encoding),
        id=received.id,
        dequeue_count=received.dequeue_count,
        insertion_time=received.inserted_at,
        expiration_time=received.expires_at,
        time_next_visible=received.next_visible_at,
        pop_receipt=received.receipt,
        group_id=received.group_id,
        attributes=received.attributes,
    )


# ---- the trigger -------------------------------------------------------------------------------


def _complete(trigger: Binding, _: FunctionFacts) -> Binding:
    """The trigger as it is, if it is right. What names an app setting is looked at later again."""
    if not any(map(names_setting, trigger.properties.values())):
        queue_trigger_of(trigger)
    return trigger


def _read(place: Place) -> Reader:
    what = f"A message for '{place.binding.name}'"
    if _is_many(place.binding):
        return _batch_reader(_converter(_item_hint(place), what))
    convert = _converter(place.annotation, what)

    def read(value: object, call: Call) -> object:
        return convert(value, call) if isinstance(value, QueueMessage) else value

    return read


def _batch_reader(convert: _Convert) -> Reader:
    def read(value: object, call: Call) -> object:
        messages = typing.cast("Sequence[QueueMessage]", value)
        items, unfit, reasons = [], [], []
        for message in messages:
            try:
                items.append(convert(message, call))
            except SerializationError as error:
                unfit.append(message)
                reasons.append(str(error))
        if unfit:
            raise UnfitMessages(unfit, reasons[0])
        return items

    return read


def _is_many(trigger: Binding) -> bool:
    given = trigger.properties.get("cardinality")
    return isinstance(given, str) and given.lower() == Cardinality.MANY


def _item_hint(place: Place) -> Any:
    """The type of one message of a batch."""
    hint = place.annotation
    kinds = list(alternatives(hint))
    if not kinds or kinds in ([Any], [object], [list]):
        return None
    if len(kinds) == 1 and typing.get_origin(kinds[0]) in {list, Sequence}:
        return typing.get_args(kinds[0])[0]
    raise FunctionDefinitionError(
        f"The parameter '{place.binding.name}' gets a batch, since its cardinality is many: "
        "annotate it with list[QueueMessage], list[str] or a list of what the messages are."
    )


def _converter(hint: Any, what: str) -> _Convert:
    """Makes of a message what the annotation says."""
    kinds = list(alternatives(hint))
    if not kinds or any(map(_is_message, kinds)):
        return lambda message, _: message
    if kinds in ([bytes], [bytearray]):
        return lambda message, _: kinds[0](message.body)
    if kinds == [str]:
        return lambda message, _: _text_of(message, what)
    return lambda message, call: call.json.from_payload(_text_of(message, what), hint, what)


def _is_message(kind: Any) -> bool:
    is_class = isinstance(kind, type)
    return kind in {Any, object} or (
        is_class and (issubclass(kind, QueueMessage) or of_azure(kind) is not None)
    )


def _text_of(message: QueueMessage, what: str) -> str:
    try:
        return message.get_text()
    except UnicodeDecodeError as error:
        raise SerializationError(f"{what} is no text: it is not UTF-8.") from error


def _data(value: object) -> Mapping[str, object]:
    """What expressions can name: of a batch nothing, since its messages differ."""
    if not isinstance(value, QueueMessage):
        return {}
    text = value.body.decode("utf-8", "replace")
    try:
        properties = json.loads(text)
    except (ValueError, RecursionError):
        properties = None
    said = (
        text,
        value.id,
        value.dequeue_count,
        value.expiration_time,
        value.insertion_time,
        value.time_next_visible,
        value.pop_receipt,
        value.group_id,
    )
    return {
        **dict(zip(_SAID, said, strict=True)),
        **(_without_case(properties) if isinstance(properties, dict) else {}),
    }


def _without_case(properties: dict[str, object]) -> dict[str, object]:
    """Properties go before what is said of the message: also `id` before `Id`."""
    usual = {name.lower(): name for name in _SAID}
    return {usual.get(name.lower(), name): value for name, value in properties.items()}


def _by_hand(text: str | None, trigger: Binding) -> object:
    message = QueueMessage(body=(text or "").encode(), id="by-hand")
    return [message] if _is_many(trigger) else message


def _shared(trigger: Binding) -> str:
    return f"the queue '{_shown(trigger, '')}'"


def _shown(trigger: Binding, _: str) -> str:
    found = queue_trigger_of(trigger)
    return found.queue if found.connection is None else f"{found.queue} ({found.connection})"


QUEUE_TRIGGER = BindingKind(
    type=TYPE,
    about="a `QueueMessage`; annotated otherwise, its body as that (JSON, `str`, `bytes`)",
    trigger=Trigger(
        decorator="queue_trigger",
        read=_read,
        data=_data,
        by_hand_for=_by_hand,
        shown=_shown,
        shared=_shared,
    ),
    properties={
        **COMMON,
        "cardinality": {
            "enum": [each.value for each in Cardinality],
            "default": Cardinality.ONE.value,
            "description": "`many`: one run gets a list of messages",
        },
        "batchSize": {
            "type": "integer",
            "description": "how many messages are taken at once; of `many`, the most of one run",
        },
        "newBatchThreshold": {
            "type": "integer",
            "description": "more are taken when so many are left in work",
        },
        "maxDequeueCount": {
            "type": "integer",
            "description": "after so many tries a message goes into the poison queue",
        },
        "visibilityTimeout": {
            "type": "string",
            "description": "how long a message waits after a try that failed, `hh:mm:ss`",
        },
    },
    annotation=QueueMessage,
    customary_names=("msg", "message"),
    default_name="msg",
    complete=_complete,
)
