"""Derived ids: the same inputs give the same id, so redone work is recognised as the same work.

`checked_instance_id` holds the rules for ids that people choose (Durable Functions' own).
"""

from __future__ import annotations

from uuid import UUID, uuid5

from bindings.errors import InvalidArgumentError
from host.core.arguments import exact_text

MAX_INSTANCE_ID = 256
ENTITY_MARK = "@"
"""What the ids of entities begin with, and their names in rows: no orchestration's does."""

_NAMESPACE = UUID("6f1d7c52-9b1e-5c0a-8f57-2f6f3a9be0a1")
_FORBIDDEN = frozenset("/\\#?")


def checked_instance_id(instance_id: object) -> str:
    """The id as a plain text. Raises `InvalidArgumentError` for one that cannot be used."""
    if not isinstance(instance_id, str):
        kind = type(instance_id).__name__
        raise InvalidArgumentError(f"An instance id is a text, not a {kind}: pass str(...) of it.")
    instance_id = exact_text(instance_id)
    problem = _problem_of(instance_id)
    if problem:
        raise InvalidArgumentError(f"The instance id {instance_id[:300]!r} {problem}.")
    return instance_id


def _problem_of(instance_id: str) -> str:
    if instance_id in {"", ".", ".."}:
        return "is empty, or means a folder in URLs"
    if len(instance_id) > MAX_INSTANCE_ID:
        return f"has {len(instance_id)} characters; at most {MAX_INSTANCE_ID} are allowed"
    if is_entity(instance_id):
        return "starts with '@', which is kept for entities"
    if any(char in _FORBIDDEN or ord(char) < 32 or 127 <= ord(char) < 160 for char in instance_id):
        return "must not contain / \\ # ? or control characters"
    if any("\ud800" <= char <= "\udfff" for char in instance_id):
        return "is not valid Unicode"
    return ""


def is_entity(instance_id: str) -> bool:
    """Whether an instance of this id is an entity."""
    return instance_id.startswith(ENTITY_MARK)


def entity_name_in(instance_id: str) -> str:
    """The name that the row of an entity of this id has: it begins as the id does."""
    return ENTITY_MARK + instance_id[1:].partition(ENTITY_MARK)[0]


def entity_execution_id(instance_id: str, message_id: str) -> str:
    """What the life of an entity is named by that begins with this message."""
    return uuid5(_NAMESPACE, f"entity:{instance_id}:{message_id}").hex


def keyed_instance_id(name: str, key: str) -> str:
    """The id of an instance whose starter gives a key of his own, and no id."""
    return uuid5(_NAMESPACE, f"keyed instance:{name}:{key}").hex


def keyed_execution_id(instance_id: str, name: str, key: str) -> str:
    """The first execution of an instance that is started with a key, each time that it is.

    A start of another function is another start, though its key be the same.
    """
    return uuid5(_NAMESPACE, f"keyed:{name}:{instance_id}:{key}").hex


def next_execution_id(execution_id: str) -> str:
    """The execution that follows by continue-as-new."""
    return uuid5(_NAMESPACE, f"continue:{execution_id}").hex


def child_execution_id(execution_id: str, task_id: int, rewinds: int = 0) -> str:
    """The execution of a sub-orchestration that a task starts, or starts again after a rewind."""
    again = f":{rewinds}" if rewinds else ""
    return uuid5(_NAMESPACE, f"child:{execution_id}:{task_id}{again}").hex


def child_instance_id(instance_id: str, execution_id: str, task_id: int) -> str:
    """A sub-orchestration's id: readable while it is short enough, never one of an earlier run."""
    readable = f"{instance_id}:{execution_id[:8]}:{task_id:04x}"
    if len(readable) <= MAX_INSTANCE_ID:
        return readable
    return uuid5(_NAMESPACE, f"instance:{instance_id}:{execution_id}:{task_id}").hex


def new_uuid(execution_id: str, counter: int) -> UUID:
    """The counter-th UUID of an execution."""
    return uuid5(_NAMESPACE, f"uuid:{execution_id}:{counter}")


def task_message_id(execution_id: str, task_id: int) -> str:
    """The id of what a task of this execution sends to another instance."""
    return f"{execution_id}.{task_id}"


def operation_answer_id(execution_id: str, task_id: int) -> str:
    """The id of the message that tells a caller what came of an entity's operation."""
    return f"{execution_id}.{task_id}.answer"


def release_message_id(execution_id: str, section: int, place: int) -> str:
    """The id of what unlocks the entities of a section that its execution has left to its end."""
    return f"{execution_id}.{section}.release.{place}"


def completion_message_id(execution_id: str, rewinds: int = 0) -> str:
    """The id of the message that tells a parent of its child's end, after so many rewinds of it.

    The parent has consumed what told it of the end before the last of them.
    """
    return f"{execution_id}.end.{rewinds}" if rewinds else f"{execution_id}.end"


def repeated_message_id(execution_id: str, cause: str) -> str:
    """The id of the message that tells a parent, after its rewind, of its child's end once more."""
    return f"{execution_id}.end.for.{cause}"


def refusal_message_id(execution_id: str, task_id: int, rewinds: int = 0) -> str:
    """The id of the message that tells a parent that its child could not start.

    `rewinds` is how often the parent was rewound before.
    """
    refused = f"{execution_id}.{task_id}.refused"
    return f"{refused}.{rewinds}" if rewinds else refused


def abandoning_message_id(execution_id: str, task_id: int) -> str:
    """The id of the message that ends a child whose start does not count after a rewind."""
    return f"{execution_id}.{task_id}.abandoned"


def rewind_id(execution_id: str, number: int) -> str:
    """What names a rewind: the execution, and the number of its batch."""
    return f"{execution_id}.{number}"


def job_message_id(job_id: str, instance_id: str) -> str:
    """The id of the order that a job sends to an instance: the same one each time."""
    return uuid5(_NAMESPACE, f"job:{job_id}:{instance_id}").hex


def notice_id(instance_id: str, execution_id: str, moment: str, kind: str) -> str:
    """The id of what is told of an instance outside of the hub: the same each time it is told.

    `moment` is the batch that it follows from, and its time.
    """
    return uuid5(_NAMESPACE, f"notice:{kind}:{execution_id}:{moment}:{instance_id}").hex


def result_message_id(execution_id: str, task_id: int) -> str:
    """The id of the message that brings the result of a parked activity."""
    return f"{execution_id}.{task_id}.result"


def hold_message_id(execution_id: str, task_id: int, kind: str, number: str) -> str:
    """The id of an order that a parent passes on to the child of a task.

    `kind` is `suspend` or `resume`; the number tells one order from the next.
    """
    return f"{execution_id}.{task_id}.{kind}.{number}"


_LATE = ("suspend.", "resume.", "release.")


def is_sent_by_task(message_id: str) -> bool:
    """Whether a late copy may come: of a task, a hold that is passed on, or what unlocks."""
    execution_id, dot, rest = message_id.partition(".")
    task_id, _, more = rest.partition(".")
    is_made_here = bool(execution_id and dot) and task_id.isdecimal()
    return is_made_here and (not more or more.startswith(_LATE))


def is_sent_by_client(message_id: str) -> bool:
    """Whether this is an id that a client drew: of an event, a suspension, a termination."""
    return "." not in message_id
