"""The management operations on orchestration instances, from call to answer.

Paths and verbs are in `webhooks.py`; errors of the hub become answers in `answers.py`. What a
client sends is checked in the order in which Durable Functions checks it: the instance first (404,
410), then the content (400).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from bindings.client import OrchestrationQuery, RuntimeStatus
from bindings.errors import (
    FunchostError,
    FunctionNotFoundError,
    InstanceNotFoundError,
    InvalidArgumentError,
    TooManyWaitsError,
)
from host.core.converter import Converter
from host.core.history import Payload
from host.core.records import Instance
from host.engine.client import MAX_PAGE_SIZE, HubClient
from host.http import answers
from host.http.calls import Call
from host.http.management.history_pages import Asked, HistoryPage, history_page
from host.http.management.history_view import Shown
from host.http.management.links import ManagementLinks
from host.http.management.status_json import JsonObject, status_to_json
from host.http.raw_json import raw

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
        self,
        *,
        client: HubClient,
        links: ManagementLinks,
        converter: Converter,
        max_wait_s: float,
        max_page_bytes: int,
    ) -> None:
        self._max_page_bytes = max_page_bytes
        self._max_wait_s = max_wait_s
        self._client = client
        self._links = links
        self._converter = converter

    async def began_at(self, instance_id: str) -> datetime | None:
        """When the run began that has this id; None if there is none."""
        row = await self._client.find_row(instance_id)
        return None if row is None else row.created_at

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
        asked = self._asked(call)
        fails = call.query.flag(_FAILURE_FLAG, default=False)
        row = await self._client.find_row(values["instance_id"])
        if row is None:
            return answers.empty(HTTPStatus.NOT_FOUND)
        page: HistoryPage | None = None
        if show_history and row.status is not RuntimeStatus.PENDING:
            page = history_page(await self._client.history_events(row.instance_id), asked)
        body = status_to_json(
            row, show_input=asked.show.input, history=None if page is None else page.events
        )
        is_paged = page is not None and (asked.count is not None or asked.token is not None)
        headers = {CONTINUATION_HEADER: page.token} if page is not None and is_paged else {}
        return _status_answer(call, row, body, fails=fails, headers=headers)

    def _asked(self, call: Call) -> Asked:
        """What the call asks for of a history."""
        return Asked(
            show=Shown(
                input=call.query.flag("showInput", default=True),
                output=call.query.flag("showHistoryOutput", default=False),
                stacks=call.link_expires_at is None,
            ),
            count=_positive(call, "historyTop"),
            token=call.request.headers.get(CONTINUATION_HEADER) or None,
            max_bytes=self._max_page_bytes,
        )

    async def list(self, call: Call, _: Values) -> web.Response:
        """One page of instances; the token of the next one is in a header."""
        show_input = call.query.flag("showInput", default=True)
        page = await self._client.query_rows(_page_query(call))
        body = [status_to_json(row, show_input=show_input) for row in page.instances]
        return answers.raw_answer(body, headers={CONTINUATION_HEADER: page.token or ""})

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
        row = None if wait_s is None else await self._wait(instance_id, wait_s)
        if row is None:
            return self._check_status(call, instance_id, fails=fails)
        if row.status is RuntimeStatus.COMPLETED:
            return answers.raw_answer(raw(row.output))
        return _status_answer(call, row, status_to_json(row), fails=fails)

    def _wait_time(self, call: Call) -> float | None:
        """How long the client waits; None if it does not. Raises `TooManyWaitsError`."""
        wait_s = _wait(call)
        if wait_s is None:
            return None
        self._client.check_room_for_wait()
        return min(wait_s, self._max_wait_s)

    async def _wait(self, instance_id: str, wait_s: float) -> Instance | None:
        try:
            return await self._client.wait_for_end(instance_id, timeout=timedelta(seconds=wait_s))
        except (TimeoutError, TooManyWaitsError):  # it is started: the client can ask later
            return None

    def _check_status(self, call: Call, instance_id: str, *, fails: bool) -> web.Response:
        urls = self._links.urls_at(call.origin, instance_id, call.link_expires_at)
        if fails:
            urls["statusQueryGetUri"] += f"&{_FAILURE_FLAG}=true"
        headers = {"Location": urls["statusQueryGetUri"], "Retry-After": _RETRY_AFTER_START}
        return answers.json_answer(urls, HTTPStatus.ACCEPTED, headers)


def _status_answer(
    call: Call,
    row: Instance,
    body: JsonObject,
    *,
    fails: bool,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    headers = dict(headers or {})
    if not row.is_finished:
        headers |= {"Location": call.url, "Retry-After": _RETRY_AFTER_POLL}
        return answers.raw_answer(body, HTTPStatus.ACCEPTED, headers)
    if fails and row.status is RuntimeStatus.FAILED:
        return answers.raw_answer(body, HTTPStatus.INTERNAL_SERVER_ERROR, headers)
    return answers.raw_answer(body, headers=headers)


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
    size = _positive(call, "top")
    return OrchestrationQuery(
        runtime_status=query.statuses("runtimeStatus"),
        created_time_from=query.time("createdTimeFrom"),
        created_time_to=query.latest_time("createdTimeTo"),
        instance_id_prefix=query.text("instanceIdPrefix") or None,
        page_size=DEFAULT_PAGE_SIZE if size is None else min(size, MAX_PAGE_SIZE),
        continuation_token=call.request.headers.get(CONTINUATION_HEADER) or None,
    )


def _positive(call: Call, name: str) -> int | None:
    number = call.query.integer(name)
    if number is not None and number < 1:
        raise InvalidArgumentError(f"The value '{number}' of '{name}' is not a positive number.")
    return number


def _finished_statuses(call: Call) -> tuple[RuntimeStatus, ...]:
    statuses = call.query.statuses("runtimeStatus")
    active = [status.value for status in statuses if not status.is_finished]
    if active:
        raise InvalidArgumentError(
            f"Instances that are {', '.join(active)} are not finished, so they cannot be purged."
        )
    return statuses
