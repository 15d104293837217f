"""The management API against its own OpenAPI document, with requests that schemathesis makes of it.

Every answer must have a status, a type, headers and a body that the document has, and no answer is
a fault of the host. `FUZZ_EXAMPLES` is the number of requests per operation.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckContext
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.modes import GenerationMode
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.tally import Tally, faults, peak_kib, resident_kib
from tests.kit.host_process import HostProcess, host_processes

APP = Path(__file__).parent / "app"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
MAX_GROWTH_KIB = 30 * 1024
WEBHOOKS = "/runtime/webhooks/durabletask"
INSTANCES = {
    "Completed": "reversing",
    "Failed": "failing",
    "Running": "waiting",
    "Suspended": "waiting",
    "Terminated": "waiting",
}
"""Ids that say the instance's state, and the orchestrators that lead there."""

KNOWN: st.SearchStrategy[dict[str, str]] = st.just({}) | st.fixed_dictionaries(
    {
        "instance_id": st.sampled_from(sorted(INSTANCES)),
        "name": st.sampled_from(["echo", "failing", "reversing", "start", "show"]),
        "event_name": st.just("go"),
    }
)

Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
Case: TypeAlias = schemathesis.Case[Any]

pytestmark = [pytest.mark.process, pytest.mark.timeout(60 + EXAMPLES * 5)]


def is_no_fault(_: CheckContext, response: Response, case: Case) -> None:
    """A failed instance may be shown with 500 on demand; nothing else may."""
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        assert "returnInternalServerErrorOnFailure" in case.query
        assert response.json()["runtimeStatus"] == "Failed"


CHECKS = [
    is_no_fault,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[HostProcess]:
    async with host_processes() as hosts:
        yield await hosts.start(APP, "--data", str(tmp_path))


class Session:
    """One host, and instances in every state, which operations are to meet."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def document(self) -> dict[str, Any]:
        async with self._http.get("/openapi.json") as response:
            assert response.status == HTTPStatus.OK
            document: dict[str, Any] = await response.json()
            return document

    async def make_instances(self) -> None:
        """See to it that there is an instance of each state, named after it."""
        for state, name in INSTANCES.items():
            await self._post(f"instances/{state}/terminate")
            await self._reach(state, "", "Completed", "Failed", "Terminated")
            await self._post(f"orchestrators/{name}/{state}")
        await self._post("instances/Suspended/suspend")
        await self._post("instances/Terminated/terminate")
        for state in INSTANCES:
            await self._reach(state, state)

    async def _reach(self, instance_id: str, *states: str) -> None:
        while await self._state(instance_id) not in states:
            pass

    async def _post(self, path: str) -> None:
        async with self._http.post(f"{WEBHOOKS}/{path}", json="x") as response:
            assert response.status < HTTPStatus.INTERNAL_SERVER_ERROR

    async def _state(self, instance_id: str) -> str:
        async with self._http.get(f"{WEBHOOKS}/instances/{instance_id}") as response:
            is_there = response.status != HTTPStatus.NOT_FOUND
            return str((await response.json())["runtimeStatus"]) if is_there else ""


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_every_answer_is_one_that_the_document_has(
    host: HostProcess, mode: GenerationMode
) -> None:
    tally = Tally()
    async with aiohttp.ClientSession(host.url) as http:
        session = Session(http)
        await session.make_instances()
        schema = schemathesis.openapi.from_dict(await session.document())
        memory = resident_kib(host.pid)
        for operation in operations_of(schema, mode):
            if "{instance_id}" in operation.path:
                await session.make_instances()
            await asyncio.to_thread(fuzz(operation, mode, host.url, tally))
    growth, peak = resident_kib(host.pid) - memory, peak_kib(host.pid)
    sys.stdout.write(f"\n{mode.value}: {tally}; memory grew by {growth} KiB, peak {peak} KiB\n")
    assert tally["5xx"] <= tally.requests // 10  # those that were asked for
    assert growth <= MAX_GROWTH_KIB
    assert faults(host.errors) == []
    assert await host.terminate() == 0


def operations_of(schema: BaseSchema, mode: GenerationMode) -> list[Operation]:
    """The operations; of any text in a path, none is wrong, so there must be more to get wrong."""
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    found = [each for each in found if not each.path.endswith("/events")]  # their answers never end
    return [each for each in found if mode.is_positive or list(each.query) or list(each.body)]


def fuzz(operation: Operation, mode: GenerationMode, url: str, tally: Tally) -> Callable[[], None]:
    """A property test of one operation; half of it is about what is there."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=KNOWN)
    def send(case: Case, known: dict[str, str]) -> None:
        for name in known.keys() & case.path_parameters.keys():
            case.path_parameters[name] = known[name]
        if known:
            case.query.pop("taskHub", None)  # hardly any text is the name of the hub
        response = case.call(base_url=url)
        tally.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    return send
