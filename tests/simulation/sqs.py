"""SQS in front of the simulated queues: its operations, in its words.

Rules of this file: the queues say what happens to a hint. What a receive brings of one instance is
one message here, whose receipt stands for all that the queue has merged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from host.core.history import TaskScheduled
from host.storage.protocol import WakeUp, WorkItem
from tests.simulation.dynamo_expressions import RefusalError
from tests.simulation.faults import Fault, Faults
from tests.simulation.processes import Process
from tests.simulation.queue import Message, Poke, Poll, Queue

Body: TypeAlias = dict[str, Any]
MAX_ENTRIES = 10
MAX_BYTES = 256 * 1024


class SimulatedSqs:
    """The service: queues by name, which are their URLs too."""

    def __init__(self, queues: Mapping[str, Queue], faults: Faults) -> None:
        self._queues = queues
        self._faults = faults
        self._operations: dict[str, Callable[[Queue, Body], Body]] = {
            "SendMessageBatch": self._send,
            "DeleteMessageBatch": self._delete,
            "ChangeMessageVisibilityBatch": self._hide,
        }

    def do(self, process: Process, operation: str, body: Body) -> Body | Poll:
        """One operation of a process; a receive gives a poll, whose answer `received` makes.

        Raises `RefusalError`.
        """
        if operation == "GetQueueUrl":
            self._queue(body["QueueName"])
            return {"QueueUrl": body["QueueName"]}
        queue = self._queue(body["QueueUrl"])
        if operation == "ReceiveMessage":
            return queue.poll(body["MaxNumberOfMessages"], process, body["WaitTimeSeconds"])
        if not 0 < len(body["Entries"]) <= MAX_ENTRIES:
            raise RefusalError("AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
        if sum(len(each.get("MessageBody", "")) for each in body["Entries"]) > MAX_BYTES:
            raise RefusalError("AWS.SimpleQueueService.BatchRequestTooLong")
        throttled = [e for e in body["Entries"] if self._faults.strikes(Fault.THROTTLED_ENTRY)]
        left = [entry for entry in body["Entries"] if entry not in throttled]
        answer = self._operations[operation](queue, {**body, "Entries": left})
        answer["Failed"] += [_failed(entry, "RequestThrottled") for entry in throttled]
        return answer

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            raise RefusalError("QueueDoesNotExist")
        return self._queues[name]

    def _send(self, queue: Queue, body: Body) -> Body:
        queue.send([_hint(entry["MessageBody"]) for entry in body["Entries"]])
        return _answer(body, lambda _: True)

    def _delete(self, queue: Queue, body: Body) -> Body:
        held = queue.holders()
        answer = _answer(body, lambda entry: entry["ReceiptHandle"] in held)
        queue.finish({entry["ReceiptHandle"] for entry in body["Entries"]})
        return answer

    def _hide(self, queue: Queue, body: Body) -> Body:
        held = queue.holders()
        return _answer(body, lambda entry: self._hide_one(queue, entry, held))

    def _hide_one(self, queue: Queue, entry: Body, held: set[str]) -> bool:
        receipt, seconds = entry["ReceiptHandle"], entry["VisibilityTimeout"]
        if seconds:
            return bool(queue.extend({receipt}, seconds))
        queue.release({receipt})
        return receipt in held


def received(hints: Sequence[Message]) -> Body:
    """The answer to a receive."""
    return {"Messages": [_message(hint) for hint in hints]}


def _message(hint: Message) -> Body:
    return {
        "Body": _text(hint),
        "ReceiptHandle": hint.receipt,
        "Attributes": {"ApproximateReceiveCount": str(hint.deliveries)},
    }


def _answer(body: Body, do: Callable[[Body], bool]) -> Body:
    """The answer to a batch; `do` does an entry, and says whether that went."""
    done = {entry["Id"]: do(entry) for entry in body["Entries"]}
    failed = [_failed(e, "ReceiptHandleIsInvalid") for e in body["Entries"] if not done[e["Id"]]]
    return {"Successful": [{"Id": id_} for id_, went in done.items() if went], "Failed": failed}


def _failed(entry: Body, code: str) -> Body:
    """An entry that was not done: SQS says of all codes that the sender is at fault."""
    return {"Id": entry["Id"], "Code": code, "SenderFault": True}


def _hint(text: str) -> Message:
    body: Body = msgspec.json.decode(text)
    if "poke" in body:
        return Poke(text=text)
    passed = body.get("p", 0)
    if "t" not in body:
        return WakeUp(instance_id=body["id"], is_recovery=body.get("re", False), passed=passed)
    scheduled = msgspec.convert(body["run"], TaskScheduled) if "run" in body else None
    return WorkItem(
        instance_id=body["id"],
        execution_id=body["ex"],
        task_id=body["t"],
        scheduled=scheduled,
        passed=passed,
    )


def _text(hint: Message) -> str:
    if isinstance(hint, Poke):
        return hint.text
    body: Body = {"id": hint.instance_id}
    if isinstance(hint, WakeUp):
        body |= {"re": True} if hint.is_recovery else {}
    else:
        body |= {"ex": hint.execution_id, "t": hint.task_id}
        body |= {"run": msgspec.to_builtins(hint.scheduled)} if hint.scheduled else {}
    body |= {"p": hint.passed} if hint.passed else {}
    return msgspec.json.encode(body).decode()
