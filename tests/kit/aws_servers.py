"""Two independent servers that speak DynamoDB and SQS, each in a thread of this process.

Rules of this file: loopback only, on free ports; a server is started once a session and never
reset, since every test has tables and queues of its own names. Their code is not ours: it is
imported only when a server is asked for, and neither its warnings nor its logs are ours to keep.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

ACCESS_KEY, SECRET_KEY, REGION = "AKIAEXAMPLE", "example-secret", "us-east-1"
_HOST = "127.0.0.1"

_Scope = MutableMapping[str, Any]
_Application = Callable[[_Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


def aws_environment(endpoint: str) -> dict[str, str]:
    """The standard AWS variables that lead a process to one of these servers."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a moto server that runs meanwhile."""
    with warnings.catch_warnings(action="ignore"):
        from moto.server import ThreadedMotoServer  # noqa: PLC0415 - slow, and seldom wanted

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for every request
    server = ThreadedMotoServer(ip_address=_HOST, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def ministack_server() -> Iterator[str]:
    """The URL of a ministack server that runs meanwhile."""
    listener = socket.create_server((_HOST, 0))  # a request waits in here until it is served
    port = listener.getsockname()[1]
    stop = threading.Event()
    thread = threading.Thread(target=_run_ministack, args=(listener, stop), daemon=True)
    thread.start()
    yield f"http://{_HOST}:{port}"
    stop.set()
    thread.join()


def _run_ministack(listener: socket.socket, stop: threading.Event) -> None:
    os.environ.update({"SERVICES": "dynamodb,sqs", "LOG_LEVEL": "ERROR"})  # read by the import
    with warnings.catch_warnings(action="ignore"):
        application: _Application = import_module("ministack.app").app
        from hypercorn.asyncio import serve  # noqa: PLC0415 - comes with ministack
        from hypercorn.config import Config  # noqa: PLC0415 - comes with ministack

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = None
    config.graceful_timeout = 0.1

    async def stopped() -> None:
        await asyncio.to_thread(stop.wait)

    asyncio.run(serve(_without_lifespan(application), config, shutdown_trigger=stopped))


def _without_lifespan(application: _Application) -> Any:
    """Only the requests: at its start ministack would open more ports and look for containers."""

    async def requests_only(
        scope: _Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    return requests_only
