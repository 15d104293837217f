"""A client of the hub that outlives its hosts, one or several.

Rules of this file: a call waits while no host is up. When a host dies under a call, nobody knows
whether it was done, so the call raises `AnswerLostError` and its caller decides: a start looks
whether the instance is there, a numbered event is counted as unsure and never sent again, a
question is asked again. So it is when a host says that its store is away.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

AWAY = 503
WEBHOOKS = "/runtime/webhooks/durabletask"
AT_ONCE = 32
"""How many starts and events are under way at a time; questions are not held back."""


class AnswerLostError(Exception):
    """The host died before it answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host said."""

    status: int
    json: Any
    continuation: str = ""


@dataclass(slots=True)
class Sent:
    """Events sent to one instance: those that were accepted, and those nobody knows of."""

    accepted: list[int] = field(default_factory=list)
    unsure: list[int] = field(default_factory=list)


class SurvivingClient:
    """Use `surviving_client()`; `connect` and `disconnect` follow the life of the hosts.

    Calls go to the connected hosts in turn.
    """

    def __init__(self, session: aiohttp.ClientSession, poll_s: float) -> None:
        self._session = session
        self._poll_s = poll_s
        self._urls: list[str] = []
        self._turns = count()
        self._is_connected = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)

    def connect(self, url: str) -> None:
        """A host is up."""
        self._urls.append(url)
        self._is_connected.set()

    def disconnect(self, url: str | None = None) -> None:
        """This host, or all of them, will go: send no new calls there."""
        self._urls = [each for each in self._urls if url not in {None, each}]
        if not self._urls:
            self._is_connected.clear()

    async def call(
        self, method: str, path: str, body: Any = None, continuation: str = ""
    ) -> Answer:
        """One call. Raises `AnswerLostError`."""
        url = await self._next_host()
        headers = {"Content-Type": "application/json", "x-ms-continuation-token": continuation}
        data = json.dumps(body) if method == "POST" else None
        try:
            async with self._session.request(
                method, url + path, data=data, headers=headers
            ) as response:
                is_json = response.content_type == "application/json"
                return Answer(
                    response.status,
                    await response.json() if is_json else await response.text(),
                    response.headers.get("x-ms-continuation-token", ""),
                )
        except aiohttp.ClientError as error:
            raise AnswerLostError from error

    async def ask(self, path: str, continuation: str = "") -> Answer:
        """A question: asked until somebody answers."""
        while True:
            try:
                return await self.call("GET", path, continuation=continuation)
            except AnswerLostError:
                continue

    async def status(self, instance_id: str) -> Answer:
        """The status of an instance."""
        while (answer := await self.ask(f"{WEBHOOKS}/instances/{instance_id}")).status == AWAY:
            continue
        return answer

    async def last_events(self, instance_id: str) -> list[str]:
        """The types of the last events of an instance's history."""
        answer = await self.ask(f"{WEBHOOKS}/instances/{instance_id}?showHistory=true")
        return [event["EventType"] for event in answer.json.get("historyEvents") or ()][-8:]

    async def finished(self, instance_id: str) -> dict[str, Any]:
        """The status of an instance once it is finished; the test's timeout is the limit."""
        while (  # noqa: ASYNC110 - the other side is a process
            answer := await self.status(instance_id)
        ).status == 202:
            # Real time: a store that all hosts share is not to be busy with questions only.
            await asyncio.sleep(self._poll_s)
        assert answer.status == 200, answer
        status: dict[str, Any] = answer.json
        return status

    async def start(self, function: str, instance_id: str, value: Any) -> None:
        """Start an instance exactly once."""
        path = f"{WEBHOOKS}/orchestrators/{function}/{instance_id}"
        expected = {202}
        async with self._room:
            while not await self._is_accepted(path, value, expected):
                if (await self.status(instance_id)).status != 404:
                    return
                # What a dead host had sent to its store may still be on its way.
                expected = {202, 409}

    async def signal(self, instance_id: str, name: str, value: Any = None) -> None:
        """Send an event until it is accepted, or its addressee ended by a copy of it."""
        async with self._room:
            await self._signal(instance_id, name, value)

    async def feed(self, instance_id: str, name: str, values: list[int], stop: int) -> Sent:
        """Send numbered events one after the other, each once, and the last until it is there."""
        sent = Sent()
        async with self._room:
            for value in values:
                is_accepted = await self._raise_event(instance_id, name, value)
                (sent.accepted if is_accepted else sent.unsure).append(value)
            await self._signal(instance_id, name, stop)
        return sent

    async def list_instances(self, parameters: str = "") -> list[dict[str, Any]]:
        """All instances, page by page."""
        path = f"{WEBHOOKS}/instances?top=500{parameters}"
        answer = await self.ask(path)
        found: list[dict[str, Any]] = answer.json
        while answer.continuation:
            answer = await self.ask(path, answer.continuation)
            found.extend(answer.json)
        return found

    async def _next_host(self) -> str:
        while not self._urls:
            await self._is_connected.wait()
        return self._urls[next(self._turns) % len(self._urls)]

    async def _raise_event(self, instance_id: str, name: str, value: Any) -> bool:
        path = f"{WEBHOOKS}/instances/{instance_id}/raiseEvent/{name}"
        return await self._is_accepted(path, value, {202})

    async def _signal(self, instance_id: str, name: str, value: Any) -> None:
        path = f"{WEBHOOKS}/instances/{instance_id}/raiseEvent/{name}"
        expected = {202}
        while not await self._is_accepted(path, value, expected):
            expected = {202, 410}

    async def _is_accepted(self, path: str, value: Any, expected: set[int]) -> bool:
        """Post once; False if the answer was lost."""
        try:
            answer = await self.call("POST", path, value)
        except AnswerLostError:
            return False
        assert answer.status in {*expected, AWAY}, answer
        return answer.status != AWAY


@asynccontextmanager
async def surviving_client(poll_s: float = 0.0) -> AsyncIterator[SurvivingClient]:
    """A client without limits on connections or time: `AT_ONCE` and the test's timeout do that."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield SurvivingClient(session, poll_s)
