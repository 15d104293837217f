"""The app of the tests of queue bindings, in both styles and wherever the queues are."""

from __future__ import annotations

import json
from typing import Any

TRIGGER = {"type": "queueTrigger", "name": "order", "direction": "in", "queueName": "orders"}
ROUTE = {"type": "httpTrigger", "name": "req", "direction": "in", "authLevel": "anonymous"}
REPLY = {"type": "http", "name": "$return", "direction": "out"}

CODE: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "take": (
        """
        def main(order: models.Order) -> dict:
            models.seen.append(order)
            if order.total < 0:
                raise ValueError("a negative total")
            return {"taken": order.id}
        """,
        [
            TRIGGER,
            {
                "type": "queue",
                "name": "$return",
                "direction": "out",
                "queueName": "taken-{country}",
            },
        ],
    ),
    "send": (
        """
        def main(req: HttpRequest, out: Out[list]) -> str:
            out.set(req.get_json())
            return "sent"
        """,
        [
            ROUTE,
            REPLY,
            {"type": "queue", "name": "out", "direction": "out", "queueName": "orders"},
        ],
    ),
    "ordered": (
        """
        def main(req: HttpRequest, out: Out[OutgoingQueueMessage]) -> str:
            out.set(OutgoingQueueMessage(body=req.get_body(), attributes={"kind": "new"}))
            return "sent"
        """,
        [
            ROUTE,
            REPLY,
            {
                "type": "queue",
                "name": "out",
                "direction": "out",
                "queueName": "work.fifo",
                "messageGroupId": "{Query.group}",
            },
        ],
    ),
}
HEADER = """from funchost import *
import models
"""
MODELS = """
from dataclasses import dataclass

seen = []

@dataclass
class Order:
    id: str
    total: float
    country: str = "no"
"""


def queue_app(
    *, is_decorated: bool, prefix: str = "", connection: str | None = None
) -> dict[str, str]:
    """The files of the app: its queues have this prefix, and are where the connection says."""
    files = {"models.py": MODELS, "host.json": '{"version": "2.0"}'}
    written = {
        name: (code, _placed(bindings, prefix, connection))
        for name, (code, bindings) in CODE.items()
    }
    if is_decorated:
        functions = [_decorated(name, *each) for name, each in written.items()]
        return files | {"function_app.py": HEADER + "app = FunctionApp()\n\n" + "".join(functions)}
    for name, each in written.items():
        files |= _folder(name, *each)
    return files


def _placed(
    bindings: list[dict[str, Any]], prefix: str, connection: str | None
) -> list[dict[str, Any]]:
    """The bindings, with the queues in their place."""
    placed = []
    for each in bindings:
        more = {"queueName": prefix + each["queueName"]} if "queueName" in each else {}
        if more and connection is not None:
            more["connection"] = connection
        placed.append(each | more)
    return placed


def _decorated(name: str, code: str, bindings: list[dict[str, Any]]) -> str:
    """A function of `function_app.py`, whose decorators say what its bindings say."""
    lines = [f'@app.function_name("{name}")']
    for each in bindings:
        if each["type"] == "http":
            continue
        if each["type"] == "httpTrigger":
            lines.append('@app.route(auth_level="anonymous")')
            continue
        given = {key: each[key] for key in each if key not in {"type", "name", "direction"}}
        said = {
            "queueName": "queue_name",
            "messageGroupId": "message_group_id",
            "connection": "connection",
        }
        arguments = "".join(f', {said[key]}="{value}"' for key, value in given.items())
        decorator = "queue_trigger" if each["type"] == "queueTrigger" else "queue_output"
        lines.append(f'@app.{decorator}(arg_name="{each["name"]}"{arguments})')
    lines += code.strip("\n").replace("\n        ", "\n").strip().splitlines()
    return "\n".join(lines).replace("def main", f"def {name}") + "\n\n"


def _folder(name: str, code: str, bindings: list[dict[str, Any]]) -> dict[str, str]:
    """A function of a folder of its own."""
    text = HEADER + "\n".join(line[8:] for line in code.splitlines())
    return {
        f"{name}/__init__.py": text,
        f"{name}/function.json": json.dumps({"bindings": bindings}),
    }
