"""Two independent servers that speak DynamoDB, S3 and SQS, each in a thread of this process.

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

from aiohttp import web
from multidict import CIMultiDict

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


def boto3_client(service: str, endpoint: str) -> Any:
    """AWS's own client of one of these servers, for what a test does by hand."""
    import boto3  # noqa: PLC0415 - slow

    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


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
    os.environ.update({"SERVICES": "dynamodb,s3,sqs", "LOG_LEVEL": "ERROR"})  # read by the import
    with warnings.catch_warnings(action="ignore"):
        application: _Application = import_module("ministack.app").app
    asyncio.run(_serve(application, listener, stop))


async def _serve(application: _Application, listener: socket.socket, stop: threading.Event) -> None:
    """Serve an ASGI application by aiohttp, which takes less time than the server it comes with.

    Requests only: at its start ministack would open more ports and look for containers.
    """

    async def answer(request: web.BaseRequest) -> web.Response:
        if "Expect" in request.headers and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # clients wait for it
        return await _call(application, request, await request.content.read())

    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await asyncio.to_thread(stop.wait)
    await runner.cleanup()


async def _call(application: _Application, request: web.BaseRequest, body: bytes) -> web.Response:
    sent: list[MutableMapping[str, Any]] = []
    scope = {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "query_string": request.query_string.encode(),
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
    }

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    await application(scope, receive, send)
    start, *parts = sent
    headers = CIMultiDict((name.decode(), value.decode()) for name, value in start["headers"])
    content = b"".join(part.get("body", b"") for part in parts)
    return web.Response(status=start["status"], headers=headers, body=content)
