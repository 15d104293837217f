"""Creating, checking and deleting the queues of a hub.

Rules of this file: SQS shows a queue a moment after it was made, so the URL that `CreateQueue` gave
is used, and what must be known of a new queue is asked for until it is known: a queue of wake-ups
never silently lacks its dead-letter queue. Encryption is never taken back: a queue on a KMS key
stays there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from host.errors import StorageUnavailableError
from host.storage.aws.schema import MAX_DELIVERIES, HubLayout, QueueDefinition
from host.storage.aws.setup.findings import Finding, existing, key_note, missing
from host.storage.aws.setup.sessions import code_of, is_missing

Pause = Callable[[float], None]
"""Lets so many seconds pass."""

SHOWN_WITHIN_S = 60
"""How long a queue that was made may be unknown to SQS's other operations."""
_ALREADY_THERE = frozenset({"QueueAlreadyExists", "QueueNameExists"})
_FIGURES = {
    "waiting": "ApproximateNumberOfMessages",
    "held": "ApproximateNumberOfMessagesNotVisible",
}
_KEY, _OWN_KEY, _REDRIVE = "KmsMasterKeyId", "SqsManagedSseEnabled", "RedrivePolicy"

T = TypeVar("T")


class QueueSetup:
    """The queues of one hub, by a client of boto3."""

    def __init__(self, layout: HubLayout, sqs: Any, pause: Pause) -> None:
        self._layout = layout
        self._sqs = sqs
        self._pause = pause
        self._urls: dict[str, str] = {}

    def create(self, queue: QueueDefinition) -> str:
        """Create the queue, or bring it up to date; says which. Its dead-letter queue is there.

        Raises `StorageUnavailableError` if SQS does not show the dead-letter queue in time.
        """
        attributes = self._attributes_of(queue)
        url = self._url(queue.name)
        if url is None:
            if self._made(queue.name, attributes):
                return f"Created queue {queue.name}."
            url = self._soon(queue.name, lambda: self._url(queue.name))
        changes = _differences(self._known(queue.name, url), attributes)
        if changes:
            self._sqs.set_queue_attributes(QueueUrl=url, Attributes=changes)
        tags = self._sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        if not self._layout.all_tags.items() <= tags.items():
            self._sqs.tag_queue(QueueUrl=url, Tags=self._layout.all_tags)
        return existing(f"Queue {queue.name}", tags, changes=sorted(changes))

    def status(self, queue: QueueDefinition) -> Finding:
        """Look at the queue."""
        url = self._url(queue.name)
        found = {} if url is None else self._found(url)
        if not found:
            return Finding(name=queue.name, problem=missing(self._sqs.meta.region_name))
        key = found.get(_KEY)
        return Finding(
            name=queue.name,
            figures={word: int(found.get(name, 0)) for word, name in _FIGURES.items()},
            notes=[key_note(key)] if key and self._layout.kms_key_arn is None else (),
            problem=self._problem(queue, found),
        )

    def delete(self, name: str) -> str:
        """Delete the queue, if it is there; says which."""
        url = self._url(name)
        if url is None:
            return f"There is no queue {name}."
        del self._urls[name]
        try:
            self._sqs.delete_queue(QueueUrl=url)
        except ClientError as error:
            if is_missing(error):  # SQS shows a queue for up to a minute after it is gone
                return f"There is no queue {name}."
            raise
        return f"Deleted queue {name}."

    def _made(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Create it; False if it is there already, with other attributes, and not shown yet."""
        try:
            answer = self._sqs.create_queue(
                QueueName=name, Attributes=attributes, tags=self._layout.all_tags
            )
        except ClientError as error:
            if code_of(error) in _ALREADY_THERE:
                return False
            raise
        self._urls[name] = str(answer["QueueUrl"])
        return True

    def _url(self, name: str) -> str | None:
        if name not in self._urls:
            try:
                self._urls[name] = str(self._sqs.get_queue_url(QueueName=name)["QueueUrl"])
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        return self._urls[name]

    def _found(self, url: str) -> dict[str, str]:
        """The attributes; none if SQS does not show the queue."""
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except ClientError as error:
            if is_missing(error):
                return {}
            raise
        found: dict[str, str] = answer.get("Attributes", {})
        return found

    def _known(self, name: str, url: str) -> dict[str, str]:
        """The attributes, as soon as SQS shows them."""
        return self._soon(name, lambda: self._found(url) or None)

    def _attributes_of(self, queue: QueueDefinition) -> dict[str, str]:
        """The definition's attributes, with the dead-letter queue as SQS wants it: by its ARN."""
        name = queue.dead_letter_name
        if name is None:
            return dict(queue.attributes)
        arn = self._soon(name, lambda: self._arn(name))
        return {**queue.attributes, _REDRIVE: _redrive(arn)}

    def _arn(self, name: str) -> str | None:
        url = self._url(name)
        return None if url is None else self._found(url).get("QueueArn")

    def _soon(self, name: str, look: Callable[[], T | None]) -> T:
        """What a look finds, as soon as it finds anything."""
        for _ in range(SHOWN_WITHIN_S):
            found = look()
            if found is not None:
                return found
            self._pause(1)
        raise StorageUnavailableError(
            f"SQS does not show the queue {name}, which is there. Do it again in a minute."
        )

    def _problem(self, queue: QueueDefinition, found: Mapping[str, str]) -> str | None:
        wanted = dict(queue.attributes)
        if queue.dead_letter_name is not None:
            arn = self._arn(queue.dead_letter_name)
            if arn is None:
                return f"its dead-letter queue {queue.dead_letter_name} is missing"
            wanted[_REDRIVE] = _redrive(arn)
        changes = sorted(_differences(found, wanted))
        if not changes:
            return None
        return f"{', '.join(changes)} differ; `funchost hub create` sets them"


def _redrive(arn: str) -> str:
    """As SQS writes it itself, so that other tools find nothing to change."""
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": MAX_DELIVERIES}
    return json.dumps(policy, separators=(",", ":"))


def _differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    kept = {_OWN_KEY} if found.get(_KEY) else set()  # a KMS key is not given up for SQS's own
    return {
        name: value
        for name, value in wanted.items()
        if name not in kept and _meaning(found.get(name)) != _meaning(value)
    }


def _meaning(attribute: str | None) -> object:
    """An attribute as it can be compared: JSON has many spellings, numbers in it may be texts."""
    if attribute is None or not attribute.startswith("{"):
        return attribute
    return {name: str(value) for name, value in json.loads(attribute).items()}
