"""The management operations on orchestration instances, from call to answer.

Paths and verbs are in `management.py`; errors of the hub become answers in `answers.py`. What a
client sends is checked in the order in which Durable Functions checks it: the instance first (404,
410), then the content (400).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from bindings.client import OrchestrationQuery, OrchestrationState, RuntimeStatus
from bindings.errors import (
    FunchostError,
    FunctionNotFoundError,
    InstanceNotFoundError,
    InvalidArgumentError,
    TooManyWaitsError,
)
from host.core.converter import Converter
from host.core.history import Payload
from host.core.history_json import history_to_json
from host.engine.client import MAX_PAGE_SIZE, HubClient
from host.http import answers
from host.http.calls import Call
from host.http.history_view import Shown, view_history
from host.http.links import ManagementLinks
from host.http.status_json import JsonObject, status_to_json

CONTINUATION_HEADER = "x-ms-continuation-token"
DEFAULT_PAGE_SIZE = 100

MAX_TIMEOUT_S = 86_400.0
"""A client that asks for more does not mean a wait. What it really waits is a setting."""

_RETRY_AFTER_START = "10"
_RETRY_AFTER_POLL = "5"
_FAILURE_FLAG = "returnInternalServerErrorOnFailure"

Values = Mapping[str, str]


class InstanceOperations:
    """Each public method is one operation."""

    def __init__(
        self, *, client: HubClient, links: ManagementLinks, converter: Converter, max_wait_s: float
    ) -> None:
        self._max_wait_s = max_wait_s
        self._client = client
        self._links = links
        self._converter = converter

    async def began_at(self, instance_id: str) -> datetime | None:
        """When the run began that has this id; None if there is none."""
        state = await self._client.get_instance(instance_id, fetch_payloads=False)
        return None if state is None else state.created_at

    async def start(self, call: Call, values: Values) -> web.Response:
        """Start an orchestration, and wait for it if a timeout is given."""
        wait_s = self._wait_time(call)
        payload = await self._payload(call)
        instance_id = await self._client.start_with_payload(
            values["name"], payload, values.get("instance_id")
        )
        return await self._started(call, instance_id, wait_s)

    async def status(self, call: Call, values: Values) -> web.Response:
        """The status of one instance, with its history on demand."""
        show_history = call.query.flag("showHistory", default=False)
        show_output = call.query.flag("showHistoryOutput", default=False)
        show_input = call.query.flag("showInput", default=True)
        fails = call.query.flag(_FAILURE_FLAG, default=False)
        state = await self._client.get_instance(values["instance_id"])
        if state is None:
            return answers.empty(HTTPStatus.NOT_FOUND)
        history: list[JsonObject] | None = None
        if show_history and state.runtime_status is not RuntimeStatus.PENDING:
            events = await self._client.history_events(state.instance_id)
            raw = history_to_json(events)
            is_by_key = call.link_expires_at is None
            history = view_history(
                raw, Shown(input=show_input, output=show_output, stacks=is_by_key)
            )
        body = status_to_json(state, show_input=show_input, history=history)
        return _status_answer(call, state, body, fails=fails)

    async def list(self, call: Call, _: Values) -> web.Response:
        """One page of instances; the token of the next one is in a header."""
        show_input = call.query.flag("showInput", default=True)
        page = await self._client.query_instances(_page_query(call))
        body = [status_to_json(state, show_input=show_input) for state in page.items]
        return answers.json_answer(
            body, headers={CONTINUATION_HEADER: page.continuation_token or ""}
        )

    async def purge(self, _: Call, values: Values) -> web.Response:
        """Delete one finished instance."""
        deleted = await self._client.purge_instance(values["instance_id"])
        return answers.json_answer({"instancesDeleted": deleted})

    async def purge_many(self, call: Call, _: Values) -> web.Response:
        """Delete the finished instances of a time range."""
        try:
            created_from = call.query.time("createdTimeFrom")
        except InvalidArgumentError:
            created_from = None
        if created_from is None:
            return answers.json_answer(
                "Please provide value for 'createdTimeFrom' parameter.", HTTPStatus.BAD_REQUEST
            )
        query = OrchestrationQuery(
            created_time_from=created_from,
            created_time_to=call.query.latest_time("createdTimeTo"),
            runtime_status=_finished_statuses(call),
        )
        deleted = await self._client.purge_instances(query)
        if not deleted:
            return answers.empty(HTTPStatus.NOT_FOUND)
        return answers.json_answer({"instancesDeleted": deleted})

    async def raise_event(self, call: Call, values: Values) -> web.Response:
        """Send an external event, whose data is JSON, whatever type the body says it is of."""
        instance_id = values["instance_id"]
        try:
            payload = await self._payload(call)
        except FunchostError:
            await self._client.check_active(instance_id)
            raise
        # Whether it is active, the store says where it stores the event.
        await self._client.raise_event_with_payload(instance_id, values["event_name"], payload)
        return answers.empty(HTTPStatus.ACCEPTED)

    async def terminate(self, call: Call, values: Values) -> web.Response:
        """Stop an instance."""
        await self._client.terminate_instance(values["instance_id"], call.query.text("reason"))
        return answers.empty(HTTPStatus.ACCEPTED)

    async def suspend(self, call: Call, values: Values) -> web.Response:
        """Hold an instance."""
        reason = call.query.text("reason") or ""
        await self._client.suspend_instance(values["instance_id"], reason)
        return answers.empty(HTTPStatus.ACCEPTED)

    async def resume(self, call: Call, values: Values) -> web.Response:
        """Let a suspended instance go on."""
        reason = call.query.text("reason") or ""
        await self._client.resume_instance(values["instance_id"], reason)
        return answers.empty(HTTPStatus.ACCEPTED)

    async def restart(self, call: Call, values: Values) -> web.Response:
        """Start the same function with the same input again."""
        wait_s = self._wait_time(call)
        is_new = call.query.flag("restartWithNewInstanceId", default=True)
        try:
            instance_id = await self._client.restart_instance(
                values["instance_id"], restart_with_new_instance_id=is_new
            )
        except (InstanceNotFoundError, FunctionNotFoundError) as error:
            summary = "InstanceId does not match a valid orchestration instance."
            return answers.with_exception(HTTPStatus.BAD_REQUEST, summary, error)
        return await self._started(call, instance_id, wait_s)

    async def redrive(self, _call: Call, values: Values) -> web.Response:
        """Try a quarantined instance anew."""
        await self._client.redrive_instance(values["instance_id"])
        return answers.empty(HTTPStatus.ACCEPTED)

    async def rewind(self, _call: Call, _values: Values) -> web.Response:
        """Say that there is no rewind."""
        return answers.message(
            HTTPStatus.NOT_FOUND,
            "Rewinding is not supported yet. Use restart to run the instance again from its start.",
        )

    async def _payload(self, call: Call) -> Payload:
        body = await call.body(self._converter.max_payload_bytes)
        return self._converter.check_json(body, "The request's body")

    async def _started(self, call: Call, instance_id: str, wait_s: float | None) -> web.Response:
        """The answer to a start: what came of it if the client waits, else where to look."""
        fails = call.query.flag(_FAILURE_FLAG, default=False)
        state = None if wait_s is None else await self._wait(instance_id, wait_s)
        if state is None:
            return self._check_status(call, instance_id, fails=fails)
        if state.runtime_status is RuntimeStatus.COMPLETED:
            return answers.json_answer(state.output)
        return _status_answer(call, state, status_to_json(state), fails=fails)

    def _wait_time(self, call: Call) -> float | None:
        """How long the client waits; None if it does not. Raises `TooManyWaitsError`."""
        wait_s = _wait(call)
        if wait_s is None:
            return None
        self._client.check_room_for_wait()
        return min(wait_s, self._max_wait_s)

    async def _wait(self, instance_id: str, wait_s: float) -> OrchestrationState | None:
        try:
            return await self._client.wait_for_instance_completion(
                instance_id, timeout=timedelta(seconds=wait_s)
            )
        except (TimeoutError, TooManyWaitsError):  # it is started: the client can ask later
            return None

    def _check_status(self, call: Call, instance_id: str, *, fails: bool) -> web.Response:
        urls = self._links.urls_at(call.origin, instance_id, call.link_expires_at)
        if fails:
            urls["statusQueryGetUri"] += f"&{_FAILURE_FLAG}=true"
        headers = {"Location": urls["statusQueryGetUri"], "Retry-After": _RETRY_AFTER_START}
        return answers.json_answer(urls, HTTPStatus.ACCEPTED, headers)


def _status_answer(
    call: Call, state: OrchestrationState, body: JsonObject, *, fails: bool
) -> web.Response:
    if not state.runtime_status.is_finished:
        headers = {"Location": call.url, "Retry-After": _RETRY_AFTER_POLL}
        return answers.json_answer(body, HTTPStatus.ACCEPTED, headers)
    if fails and state.runtime_status is RuntimeStatus.FAILED:
        return answers.json_answer(body, HTTPStatus.INTERNAL_SERVER_ERROR)
    return answers.json_answer(body)


def _wait(call: Call) -> float | None:
    """How long the client waits; None unless it says so with both of its parameters."""
    timeout = call.query.seconds("timeout")
    interval = call.query.seconds("pollingInterval")
    if timeout is None or interval is None:
        return None
    if interval > timeout:
        raise InvalidArgumentError("The pollingInterval is longer than the timeout.")
    if timeout > MAX_TIMEOUT_S:
        raise InvalidArgumentError(f"The timeout is longer than {MAX_TIMEOUT_S:.0f} seconds.")
    return timeout


def _page_query(call: Call) -> OrchestrationQuery:
    query = call.query
    size = query.integer("top")
    if size is not None and size < 1:
        raise InvalidArgumentError(f"The value '{size}' of 'top' is not a positive number.")
    return OrchestrationQuery(
        runtime_status=query.statuses("runtimeStatus"),
        created_time_from=query.time("createdTimeFrom"),
        created_time_to=query.latest_time("createdTimeTo"),
        instance_id_prefix=query.text("instanceIdPrefix") or None,
        page_size=DEFAULT_PAGE_SIZE if size is None else min(size, MAX_PAGE_SIZE),
        continuation_token=call.request.headers.get(CONTINUATION_HEADER) or None,
    )


def _finished_statuses(call: Call) -> tuple[RuntimeStatus, ...]:
    statuses = call.query.statuses("runtimeStatus")
    active = [status.value for status in statuses if not status.is_finished]
    if active:
        raise InvalidArgumentError(
            f"Instances that are {', '.join(active)} are not finished, so they cannot be purged."
        )
    return statuses
