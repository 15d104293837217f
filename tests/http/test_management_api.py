"""The management webhooks over real HTTP: every operation, as the wire contract has it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.http.hosting import HUB, WEBHOOKS, Host

PAYLOAD_MEMBERS = [
    "id",
    "statusQueryGetUri",
    "sendEventPostUri",
    "terminatePostUri",
    "purgeHistoryDeleteUri",
    "restartPostUri",
    "suspendPostUri",
    "resumePostUri",
]


async def test_a_start_answers_with_all_links(host: Host) -> None:
    response = await host.call("POST", "orchestrators/echo", json={"a": 1})
    body = await response.json()
    status_url = body["statusQueryGetUri"]
    assert response.status == 202
    assert list(body) == PAYLOAD_MEMBERS
    assert re.fullmatch("[0-9a-f]{32}", body["id"])
    assert response.headers["Location"] == status_url
    assert response.headers["Retry-After"] == "10"
    instance = f"{host.origin}{WEBHOOKS}/instances/{body['id']}"
    query = f"taskHub={HUB}&connection=Storage"
    assert status_url == f"{instance}?{query}"
    assert body["sendEventPostUri"] == f"{instance}/raiseEvent/{{eventName}}?{query}"
    assert body["terminatePostUri"] == f"{instance}/terminate?reason={{text}}&{query}"


async def test_a_start_takes_an_id_and_names_in_any_case(host: Host) -> None:
    path = f"{WEBHOOKS.upper()}/Orchestrators/ECHO/my-id/"
    response = await host.call("POST", path, json=1)
    assert response.status == 202
    assert (await response.json())["id"] == "my-id"


@pytest.mark.parametrize("instance_id", ["a b", "ä+ö", "50%", "x&y=z", "a@b", "…" * 10])
async def test_every_allowed_id_works_in_paths_and_links(host: Host, instance_id: str) -> None:
    path = f"orchestrators/echo/{quote(instance_id, safe='')}"
    body = await (await host.call("POST", path, json=7)).json()
    assert body["id"] == instance_id
    await host.hub.wait_for_instance_completion(instance_id)
    link = body["statusQueryGetUri"].removeprefix(host.origin)
    status = await (await host.call("GET", link)).json()
    assert (status["instanceId"], status["output"]) == (instance_id, 7)


@pytest.mark.parametrize("body", [b"", b"  ", b"null"])
async def test_a_start_without_a_body_has_no_input(host: Host, body: bytes) -> None:
    response = await host.call("POST", "orchestrators/echo/i", data=body)
    assert response.status == 202
    assert (await host.hub.wait_for_instance_completion("i")).output is None


async def test_the_content_type_of_a_start_does_not_matter(host: Host) -> None:
    headers = {"Content-Type": "text/plain"}
    response = await host.call("POST", "orchestrators/echo/i", data=b"[1]", headers=headers)
    assert response.status == 202
    assert (await host.hub.wait_for_instance_completion("i")).output == [1]


async def test_a_start_of_an_unknown_function_says_which_ones_there_are(host: Host) -> None:
    response = await host.call("POST", "orchestrators/nope")
    body = await response.json()
    assert response.status == 400
    assert list(body) == ["Message", "ExceptionMessage", "ExceptionType", "StackTrace"]
    assert "'nope'" in body["ExceptionMessage"]
    assert "echo" in body["ExceptionMessage"]


async def test_a_start_on_an_active_id_is_refused(host: Host) -> None:
    await host.start("waiting", instance_id="taken")
    response = await host.call("POST", "orchestrators/echo/taken")
    assert response.status == 409
    assert "already exists" in (await response.json())["ExceptionMessage"]


async def test_a_start_on_a_finished_id_replaces_it(host: Host) -> None:
    instance_id = await host.ended("echo", "old")
    await host.start("echo", "new", instance_id)
    assert (await host.hub.wait_for_instance_completion(instance_id)).output == "new"


async def test_a_start_that_waits_gives_the_bare_output(host: Host) -> None:
    path = "orchestrators/shouting?timeout=30&pollingInterval=0.5"
    response = await host.call("POST", path, json="hi")
    assert (response.status, await response.json()) == (200, "HI")


async def test_a_start_that_waits_for_a_failure_gives_the_status(host: Host) -> None:
    path = "orchestrators/failing?timeout=30&pollingInterval=1"
    response = await host.call("POST", path)
    assert response.status == 200
    assert (await response.json())["runtimeStatus"] == "Failed"
    flagged = await host.call("POST", f"{path}&returnInternalServerErrorOnFailure=true")
    assert flagged.status == 500


async def test_a_start_that_waits_in_vain_gives_the_links(host: Host) -> None:
    response = await host.call("POST", "orchestrators/waiting?timeout=0&pollingInterval=0")
    assert response.status == 202
    assert list(await response.json()) == PAYLOAD_MEMBERS


async def test_a_start_with_one_of_the_waiting_parameters_does_not_wait(host: Host) -> None:
    response = await host.call("POST", "orchestrators/waiting?timeout=600")
    assert response.status == 202


async def test_the_flag_for_failures_stands_in_the_status_link(host: Host) -> None:
    path = "orchestrators/echo?returnInternalServerErrorOnFailure=True"
    body = await (await host.call("POST", path)).json()
    assert body["statusQueryGetUri"].endswith("&returnInternalServerErrorOnFailure=true")


async def test_the_status_of_a_finished_instance_is_200(host: Host) -> None:
    instance_id = await host.ended("shouting", "hi")
    response = await host.call("GET", f"instances/{instance_id}")
    body = await response.json()
    assert response.status == 200
    assert "Location" not in response.headers
    assert list(body) == [
        "name",
        "instanceId",
        "runtimeStatus",
        "input",
        "customStatus",
        "output",
        "createdTime",
        "lastUpdatedTime",
    ]
    assert (body["name"], body["instanceId"]) == ("shouting", instance_id)
    assert (body["input"], body["output"]) == ("hi", "HI")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["createdTime"])


async def test_the_status_of_an_active_instance_says_where_to_ask_again(host: Host) -> None:
    instance_id = await host.waiting()
    path = f"{WEBHOOKS}/instances/{instance_id}?showInput=true&taskHub={HUB}"
    response = await host.call("GET", path)
    body = await response.json()
    assert response.status == 202
    assert response.headers["Location"] == host.origin + path
    assert response.headers["Retry-After"] == "5"
    assert (body["runtimeStatus"], body["customStatus"]) == ("Running", "waits")


async def test_the_status_of_a_failed_instance_is_500_on_demand_only(host: Host) -> None:
    instance_id = await host.ended("failing")
    path = f"instances/{instance_id}"
    plain = await host.call("GET", path)
    flagged = await host.call("GET", f"{path}?RETURNINTERNALSERVERERRORONFAILURE=True")
    assert (plain.status, flagged.status) == (200, 500)
    assert await plain.json() == await flagged.json()
    output = (await plain.json())["output"]
    assert output.startswith("Orchestrator function 'failing' failed: ")
    assert "no luck" in output


async def test_the_status_leaves_out_the_input_on_demand(host: Host) -> None:
    instance_id = await host.ended("echo", "secret")
    body = await (await host.call("GET", f"instances/{instance_id}?showinput=False")).json()
    assert body["input"] is None


async def test_the_history_is_shown_on_demand(host: Host) -> None:
    instance_id = await host.ended("shouting", "hi")
    body = await (await host.call("GET", f"instances/{instance_id}?showHistory=true")).json()
    events: list[dict[str, Any]] = body["historyEvents"]
    assert [event["EventType"] for event in events] == [
        "ExecutionStarted",
        "TaskCompleted",
        "ExecutionCompleted",
    ]
    assert events[1]["FunctionName"] == "shout"
    assert all("Result" not in event for event in events)
    path = f"instances/{instance_id}?showHistory=true&showHistoryOutput=true&showInput=false"
    events = (await (await host.call("GET", path)).json())["historyEvents"]
    assert events[1]["Result"] == "HI"
    assert all("Input" not in event for event in events)


async def test_the_list_is_an_array_with_a_continuation_header(host: Host) -> None:
    ids = {await host.ended("echo", number) for number in range(5)}
    listed: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        headers = {"x-ms-continuation-token": token} if token else {}
        response = await host.call("GET", "instances?top=2&showInput=false", headers=headers)
        body = await response.json()
        assert response.status == 200
        assert all("historyEvents" not in item and item["input"] is None for item in body)
        listed += [item["instanceId"] for item in body]
        token, pages = response.headers["x-ms-continuation-token"], pages + 1
    assert set(listed) == ids
    assert len(listed) == 5
    assert pages >= 3


async def test_the_list_of_an_empty_hub_is_empty_and_has_the_header(host: Host) -> None:
    response = await host.call("GET", "instances")
    assert (response.status, await response.json()) == (200, [])
    assert response.headers["x-ms-continuation-token"] == ""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("runtimeStatus=Completed", ["a1", "b1"]),
        ("runtimeStatus=Failed,Running", ["a2"]),
        ("runtimeStatus=Failed&runtimeStatus=Completed", ["a1", "a2", "b1"]),
        ("runtimeStatus=", ["a1", "a2", "b1"]),
        ("instanceIdPrefix=a", ["a1", "a2"]),
        ("createdTimeFrom=2000-01-01T00:00:00Z", ["a1", "a2", "b1"]),
        ("createdTimeFrom=2999-01-01", []),
        ("createdTimeTo=2000-01-01T00:00:00Z", []),
        ("top=100000000000000000000", ["a1", "a2", "b1"]),
        ("showHistory=true", ["a1", "a2", "b1"]),
    ],
)
async def test_the_list_is_filtered(host: Host, query: str, expected: list[str]) -> None:
    for name, instance_id in (("echo", "a1"), ("failing", "a2"), ("echo", "b1")):
        await host.start(name, None, instance_id)
        await host.hub.wait_for_instance_completion(instance_id)
    response = await host.call("GET", f"instances?{query}")
    assert sorted(item["instanceId"] for item in await response.json()) == expected


async def test_one_finished_instance_is_purged(host: Host) -> None:
    instance_id = await host.ended()
    response = await host.call("DELETE", f"instances/{instance_id}")
    assert (response.status, await response.json()) == (200, {"instancesDeleted": 1})
    assert (await host.call("GET", f"instances/{instance_id}")).status == 404


async def test_a_purge_takes_the_children_along_unless_told_otherwise(host: Host) -> None:
    first, second = await host.ended("parent"), await host.ended("parent")
    assert (await host.call("DELETE", f"instances/{first}?recursive=maybe")).status == 400
    alone = await host.call("DELETE", f"instances/{first}?recursive=false")
    assert await alone.json() == {"instancesDeleted": 1}
    assert (await host.call("GET", "instances/child")).status == 200
    both = await host.call("DELETE", f"instances/{second}")
    assert await both.json() == {"instancesDeleted": 2}
    assert (await host.call("GET", "instances/child")).status == 404


async def test_an_active_instance_is_not_purged(host: Host) -> None:
    instance_id = await host.waiting()
    assert (await host.call("DELETE", f"instances/{instance_id}")).status == 409
    assert (await host.call("GET", f"instances/{instance_id}")).status == 202


async def test_many_finished_instances_are_purged_and_active_ones_stay(host: Host) -> None:
    for _ in range(3):
        await host.ended()
    failed, active = await host.ended("failing"), await host.waiting()
    path = "instances?createdTimeFrom=2000-01-01T00:00:00Z"
    response = await host.call("DELETE", f"{path}&runtimeStatus=Completed")
    assert (response.status, await response.json()) == (200, {"instancesDeleted": 3})
    response = await host.call("DELETE", path)
    assert await response.json() == {"instancesDeleted": 1}
    assert (await host.call("GET", f"instances/{failed}")).status == 404
    assert (await host.call("GET", f"instances/{active}")).status == 202


async def test_a_purge_that_finds_nothing_is_404(host: Host) -> None:
    response = await host.call("DELETE", "instances?createdTimeFrom=2000-01-01")
    assert response.status == 404


@pytest.mark.parametrize("query", ["", "?createdTimeFrom=", "?createdTimeFrom=soon"])
async def test_a_purge_without_a_start_time_is_refused_with_a_bare_string(
    host: Host, query: str
) -> None:
    response = await host.call("DELETE", f"instances{query}")
    assert response.status == 400
    assert await response.json() == "Please provide value for 'createdTimeFrom' parameter."


@pytest.mark.parametrize(
    "odd", ["instanceIdPrefx=a", "dryRun=true", "name=", "runtimeStatus=%20", "tag=", "text="]
)
@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("DELETE", "instances?createdTimeFrom=2000-01-01"),
        ("POST", "export?move=true"),
        ("POST", "batch/terminate?createdTimeFrom=2000-01-01"),
    ],
)
async def test_found_a_filter_that_says_nothing_does_not_mean_all(
    host: Host, verb: str, path: str, odd: str
) -> None:
    """It is misspelled, or a script's variable was empty."""
    if "batch" in path and odd == "dryRun=true":
        odd = "dryRun="
    finished, active = await host.ended(), await host.waiting()
    response = await host.call(verb, f"{path}&{odd}")
    assert response.status == 400, await response.text()
    assert odd.partition("=")[0] in (await response.json())["ExceptionMessage"]
    assert (await host.call("GET", f"instances/{finished}")).status == 200
    assert (await host.call("GET", f"instances/{active}")).status == 202


async def test_what_every_webhook_takes_is_no_filter(host: Host) -> None:
    await host.ended()
    path = "instances?createdTimeFrom=2000-01-01&taskHub=TestHub&connection=Storage&code="
    assert (await host.call("DELETE", path)).status == 200


async def test_an_event_is_delivered(host: Host) -> None:
    instance_id = await host.waiting()
    response = await host.call("POST", f"instances/{instance_id}/raiseEvent/GO", json={"x": 1})
    assert (response.status, await response.read()) == (202, b"")
    assert (await host.hub.wait_for_instance_completion(instance_id)).output == {"x": 1}


async def test_an_event_for_nobody_is_404_and_for_a_finished_instance_410(host: Host) -> None:
    finished = await host.ended()
    text = {"Content-Type": "text/plain"}
    missing = await host.call("POST", "instances/nope/raiseEvent/go", data=b"x", headers=text)
    gone = await host.call("POST", f"instances/{finished}/raiseEvent/go", data=b"x", headers=text)
    assert (missing.status, gone.status) == (404, 410)


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
async def test_an_event_may_be_empty(host: Host, content_type: str) -> None:
    instance_id = await host.waiting()
    path = f"instances/{instance_id}/raiseEvent/go"
    response = await host.call("POST", path, headers={"Content-Type": content_type})
    assert response.status == 202
    assert (await host.hub.wait_for_instance_completion(instance_id)).output is None


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]
)
async def test_found_d16_an_event_is_json_whatever_type_it_says(
    host: Host, content_type: str | None
) -> None:
    """As a start is: `curl -d` says that it sends a form."""
    path = f"instances/{await host.waiting()}/raiseEvent/go"
    headers = {} if content_type is None else {"Content-Type": content_type}
    skipped = ["Content-Type"] if content_type is None else []
    options: dict[str, Any] = {"headers": headers, "skip_auto_headers": skipped}
    assert (await host.call("POST", path, data=b"a=b", **options)).status == 400
    assert (await host.call("POST", path, data=b'"1"', **options)).status == 202


async def test_an_instance_is_terminated_with_the_reason_as_output(host: Host) -> None:
    instance_id = await host.waiting()
    path = f"instances/{instance_id}/terminate?reason=enough%20of%20it"
    response = await host.call("POST", path)
    assert (response.status, await response.read()) == (202, b"")
    state = await host.hub.wait_for_instance_completion(instance_id)
    assert (state.runtime_status, state.output) == ("Terminated", "enough of it")
    assert (await host.call("POST", path)).status == 410


async def test_an_instance_is_suspended_and_resumed(host: Host) -> None:
    instance_id = await host.waiting()
    path = f"instances/{instance_id}"
    assert (await host.call("POST", f"{path}/suspend?reason=pause")).status == 202
    await host.until(instance_id, "Suspended")
    assert (await host.call("POST", f"{path}/suspend")).status == 202
    assert (await host.call("POST", f"{path}/raiseEvent/go", json=1)).status == 202
    assert (await host.call("POST", f"{path}/resume?reason=on")).status == 202
    assert (await host.hub.wait_for_instance_completion(instance_id)).output == 1
    assert (await host.call("POST", f"{path}/suspend")).status == 410
    assert (await host.call("POST", f"{path}/resume")).status == 410


async def test_found_a16_to_resume_what_runs_is_accepted_and_changes_nothing(host: Host) -> None:
    instance_id = await host.waiting()
    path = f"instances/{instance_id}"
    assert (await host.call("POST", f"{path}/resume")).status == 202
    assert (await host.call("POST", f"{path}/raiseEvent/go", json=1)).status == 202
    assert (await host.hub.wait_for_instance_completion(instance_id)).output == 1


async def test_found_a16_of_orders_that_follow_each_others_answers_none_is_refused(
    host: Host,
) -> None:
    instance_id = await host.waiting()
    path = f"instances/{instance_id}"
    for _ in range(50):
        assert (await host.call("POST", f"{path}/suspend")).status == 202
        assert (await host.call("POST", f"{path}/resume")).status == 202
    await host.until(instance_id, "Running")


@pytest.mark.parametrize("operation", ["terminate", "suspend", "resume"])
async def test_steering_nobody_is_404(host: Host, operation: str) -> None:
    response = await host.call("POST", f"instances/nope/{operation}")
    assert response.status == 404


async def test_a_restart_runs_the_function_again_under_a_new_id(host: Host) -> None:
    instance_id = await host.ended("echo", [1, 2])
    response = await host.call("POST", f"instances/{instance_id}/restart")
    new_id = (await response.json())["id"]
    assert response.status == 202
    assert new_id != instance_id
    assert (await host.hub.wait_for_instance_completion(new_id)).output == [1, 2]


async def test_a_restart_may_keep_the_id_and_wait(host: Host) -> None:
    instance_id = await host.ended("echo", 7)
    query = "restartWithNewInstanceId=False&timeout=30&pollingInterval=1"
    response = await host.call("POST", f"instances/{instance_id}/restart?{query}")
    assert (response.status, await response.json()) == (200, 7)


async def test_a_restart_of_an_active_instance_under_its_id_is_refused(host: Host) -> None:
    instance_id = await host.waiting()
    path = f"instances/{instance_id}/restart?restartWithNewInstanceId=false"
    assert (await host.call("POST", path)).status == 409


async def test_a_restart_of_nobody_is_a_bad_request(host: Host) -> None:
    response = await host.call("POST", "instances/nope/restart")
    assert response.status == 400
    summary = "InstanceId does not match a valid orchestration instance."
    assert (await response.json())["Message"] == summary


async def test_a_failed_instance_is_rewound(host: Host) -> None:
    instance_id = await host.ended("failing")
    response = await host.call("POST", f"instances/{instance_id}/rewind?reason=x")
    assert response.status == 202
    assert await response.read() == b""
    await host.hub.wait_for_instance_completion(instance_id)
    status = await host.call("GET", f"instances/{instance_id}?showHistory=true")
    events = (await status.json())["historyEvents"]
    (rewound,) = [each for each in events if each["EventType"] == "ExecutionRewound"]
    assert rewound["Reason"] == "x"


async def test_the_body_of_a_rewind_is_its_reason(host: Host) -> None:
    instance_id = await host.ended("failing")
    path = f"instances/{instance_id}/rewind"
    for wrong in ({"json": {"why": 1}}, {"data": b"{"}):
        assert (await host.call("POST", path, **wrong)).status == 400
        assert (await host.call("POST", "instances/nobody/rewind", **wrong)).status == 404
    assert (await host.call("POST", path, json="because")).status == 202
    events = await host.hub.get_instance_history(instance_id)
    assert "because" in [event.get("Reason") for event in events]


async def test_what_has_not_failed_is_not_rewound(host: Host) -> None:
    assert (await host.call("POST", "instances/nobody/rewind")).status == 404
    completed = await host.ended("echo")
    assert (await host.call("POST", f"instances/{completed}/rewind")).status == 410


async def test_the_links_of_a_function_are_those_of_the_webhooks(host: Host) -> None:
    response = await host.call("POST", "/api/start/echo/from-function", json=5)
    body = await response.json()
    assert response.status == 202
    assert set(body) == {*PAYLOAD_MEMBERS, "rewindPostUri"}
    assert response.headers["Location"] == body["statusQueryGetUri"]
    await host.hub.wait_for_instance_completion("from-function")
    status = await host.call("GET", body["statusQueryGetUri"].removeprefix(host.origin))
    assert (await status.json())["output"] == 5
