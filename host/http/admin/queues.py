"""The queues that go with the hub: what lies in them, and putting, removing and trying again."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from bindings.errors import InvalidArgumentError
from bindings.kinds.queue_properties import encoded
from bindings.kinds.queue_rules import MAX_BYTES
from bindings.kinds.queues import POISON_SUFFIX, OutgoingMessage, poison_name
from host.clock import Clock
from host.http import answers
from host.http.access import Need
from host.http.admin.room import Administration
from host.http.operations import Asked, Body, Operation, answer, refused
from host.http.parameters import in_path, in_query
from host.http.query import Query
from host.http.shapes import (
    COUNT,
    ERROR,
    POSITIVE,
    SECONDS,
    TEXT,
    TIME,
    JsonObject,
    Shape,
    list_of,
    object_of,
)
from host.resources.embedded.queues import EmbeddedQueues
from host.storage.messages import QueueState, StoredMessage

PEEKED = 10
MAX_PEEKED = 100
NAME = in_path("name", "a queue's name")
TOP = in_query(
    "top",
    f"How many messages: {PEEKED} if absent, at most {MAX_PEEKED}.",
    POSITIVE,
    Query.positive,
    key="topOfMessages",
)
GROUP = in_query("groupId", "Of a FIFO queue: the group of the message.", TEXT, Query.text)
DEDUPLICATION = in_query(
    "deduplicationId", "What was sent by the same id is not sent again.", TEXT, Query.text
)
DELAY = in_query("delay", "In how many seconds it can be received.", SECONDS, Query.seconds)

QUEUE = Shape(
    "Queue",
    object_of(
        {
            "name": TEXT,
            "messages": COUNT,
            "bytes": COUNT,
            "held": COUNT | {"description": "Those that functions have in work."},
            "delayed": COUNT,
            "oldestAgeSeconds": SECONDS,
            "poisoned": COUNT | {"description": "How many are in its poison queue."},
        },
        "oldestAgeSeconds",
    ),
)
MESSAGE = Shape(
    "QueueMessage",
    object_of(
        {
            "id": TEXT,
            "body": TEXT,
            "dequeueCount": COUNT,
            "insertedAt": TIME,
            "groupId": TEXT,
            "attributes": {"type": "object", "additionalProperties": TEXT},
        },
        "groupId",
    ),
)
SENT = Shape("SentMessage", object_of({"id": TEXT}))
COUNTED = Shape("CountedMessages", object_of({"messages": COUNT}))


async def list_queues(here: Administration, _asked: Asked) -> web.Response:
    """All queues, without the poison queues of those that have one."""
    states = await _embedded(here).states()
    by_name = {state.name: state for state in states}
    shown = [state for state in states if not _is_poison_of(state.name, by_name)]
    return answers.json_answer([_shown(state, by_name, here.clock) for state in shown])


async def put_message(here: Administration, asked: Asked) -> web.Response:
    """Put a message into a queue."""
    body = await asked.body(MAX_BYTES)
    message = OutgoingMessage(
        body=encoded(body, here.resources.queue_options.encoding),
        group_id=asked[GROUP],
        deduplication_id=asked[DEDUPLICATION],
        delay_s=asked[DELAY] or 0.0,
    )
    (sent,) = await here.resources.queue(asked[NAME], None).send([message])
    return answers.json_answer({"id": sent}, HTTPStatus.CREATED)


async def peek(here: Administration, asked: Asked) -> web.Response:
    """Show some messages."""
    found = await _embedded(here).peek(asked[NAME], min(asked[TOP] or PEEKED, MAX_PEEKED))
    return answers.json_answer([_message(each) for each in found])


async def purge(here: Administration, asked: Asked) -> web.Response:
    """Remove all messages that nobody has in work."""
    return answers.json_answer({"messages": await _embedded(here).purge(asked[NAME])})


async def redrive(here: Administration, asked: Asked) -> web.Response:
    """Put what lies in the poison queue back."""
    return answers.json_answer({"messages": await _embedded(here).redrive(asked[NAME])})


def _embedded(here: Administration) -> EmbeddedQueues:
    if here.resources.embedded_queues is None:
        raise InvalidArgumentError(
            "The queues of this hub are on SQS: look at them with the tools of AWS."
        )
    return here.resources.embedded_queues


def _is_poison_of(name: str, states: dict[str, QueueState]) -> bool:
    return POISON_SUFFIX in name and any(poison_name(each) == name for each in states)


def _shown(state: QueueState, states: dict[str, QueueState], clock: Clock) -> JsonObject:
    poison = states.get(poison_name(state.name))
    age = None if state.oldest_at is None else (clock.now() - state.oldest_at).total_seconds()
    return {
        "name": state.name,
        "messages": state.messages,
        "bytes": state.bytes,
        "held": state.held,
        "delayed": state.delayed,
        **({} if age is None else {"oldestAgeSeconds": max(age, 0.0)}),
        "poisoned": 0 if poison is None else poison.messages,
    }


def _message(message: StoredMessage) -> JsonObject:
    return {
        "id": message.id,
        "body": message.body,
        "dequeueCount": message.dequeue_count,
        "insertedAt": message.inserted_at.isoformat(),
        **({} if message.group_id is None else {"groupId": message.group_id}),
        "attributes": dict(message.attributes),
    }


_ELSEWHERE = "The queues of this hub are on SQS."

OPERATIONS: tuple[Operation[Administration], ...] = (
    Operation(
        id="listQueues",
        verb="GET",
        path="/admin/queues",
        summary="The queues in the hub's own store.",
        access=Need.READ,
        answers={200: answer("The queues.", list_of(QUEUE)), 400: refused(_ELSEWHERE)},
        handler=list_queues,
    ),
    Operation(
        id="putMessage",
        is_everyday=True,
        verb="POST",
        path="/admin/queues/{name}",
        summary="Put a message, the body as it is, into a queue that goes with the hub.",
        access=Need.OPERATE,
        parameters=(NAME, GROUP, DEDUPLICATION, DELAY),
        body=Body(text="The message.", form={}, is_required=True, others={"text/plain": TEXT}),
        answers={
            201: answer("It is in the queue.", SENT),
            400: refused("No queue takes such a message, or can have such a name."),
            413: answer("The body is too large.", ERROR),
        },
        handler=put_message,
    ),
    Operation(
        id="peekMessages",
        verb="GET",
        path="/admin/queues/{name}/messages",
        summary="Show some messages of a queue; nothing changes.",
        access=Need.READ,
        parameters=(NAME, TOP),
        answers={200: answer("The messages.", list_of(MESSAGE)), 400: refused(_ELSEWHERE)},
        handler=peek,
    ),
    Operation(
        id="purgeQueue",
        verb="DELETE",
        path="/admin/queues/{name}/messages",
        summary="Remove all messages of a queue that no function has in work.",
        access=Need.OPERATE,
        parameters=(NAME,),
        answers={200: answer("How many they were.", COUNTED), 400: refused(_ELSEWHERE)},
        handler=purge,
    ),
    Operation(
        id="redriveQueue",
        verb="POST",
        path="/admin/queues/{name}/redrive",
        summary="Put what lies in the poison queue of a queue back into it, to be tried anew.",
        access=Need.OPERATE,
        parameters=(NAME,),
        answers={200: answer("How many they were.", COUNTED), 400: refused(_ELSEWHERE)},
        handler=redrive,
    ),
)
