"""A way to a real server that lets through what an IAM policy allows, and refuses the rest.

Rules of this file: it knows of IAM what the hub's policies use: allowing statements, whole actions,
resources that may end in `*`, and the condition on the partition keys of items.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from host.storage.aws.setup.policies import Place
from host.storage.aws.wire.transport import Request, Response, Transport

_KEYS = "dynamodb:LeadingKeys"


class PolicedTransport:
    """Passes on what the policy allows: `passed` says which actions, `refused` what it did not."""

    def __init__(self, transport: Transport, document: Mapping[str, Any], place: Place) -> None:
        self._transport = transport
        self._document = document
        self._place = place
        self.passed: set[str] = set()
        self.refused: list[str] = []

    async def __call__(self, request: Request) -> Response:
        """Make one attempt."""
        action, resource, keys = self._asked(request)
        if allows(self._document, action, resource, keys):
            self.passed.add(action)
            return await self._transport(request)
        self.refused.append(f"{action} {resource}")
        body = {"__type": "AccessDeniedException", "message": f"not allowed: {action}"}
        return Response(400, {}, json.dumps(body).encode())

    def _asked(self, request: Request) -> tuple[str, str, list[str]]:
        """The action, the resource, and the partition keys."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        target, _, operation = headers["x-amz-target"].rpartition(".")
        body = json.loads(request.body)
        if target == "AmazonSQS":
            name = body.get("QueueName") or body["QueueUrl"].rpartition("/")[2]
            action = operation.removesuffix("Batch")
            return f"sqs:{action}", self._place.arn("sqs", name), []
        table = _table_of(body)
        index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
        item = body.get("Key") or body.get("Item")
        keys = [item["pk"]["S"]] if item else []
        return f"dynamodb:{operation}", self._place.arn("dynamodb", f"table/{table}{index}"), keys


def _table_of(body: Mapping[str, Any]) -> str:
    if "ResourceArn" in body:
        return str(body["ResourceArn"]).rpartition("/")[2]
    return str(body["TableName"] if "TableName" in body else next(iter(body["RequestItems"])))


def allows(
    document: Mapping[str, Any], action: str, resource: str, keys: Iterable[str] = ()
) -> bool:
    """Whether a policy allows an action on a resource, and on items with these partition keys."""
    return any(
        action in statement["Action"]
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        and _holds(statement.get("Condition"), keys)
        for statement in document["Statement"]
    )


def _holds(condition: Mapping[str, Any] | None, keys: Iterable[str]) -> bool:
    if condition is None:
        return True
    return set(keys) <= set(condition["ForAllValues:StringEquals"][_KEYS])
