"""Why an instance waits, and its custom status by hand, over HTTP and by the client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bindings.errors import InstanceNotFoundError, InstanceStateError
from bindings.waiting import WaitKind
from tests.http.hosting import Host


async def ask(host: Host, verb: str, path: str, **options: Any) -> tuple[int, Any]:
    response = await host.call(verb, f"instances/{path}", **options)
    text = await response.text()
    return response.status, (await response.json()) if text else None


# ---- why -----------------------------------------------------------------------------------


async def test_an_instance_says_what_it_waits_for(host: Host) -> None:
    instance_id = await host.waiting()
    status, body = await ask(host, "GET", f"{instance_id}/why")
    assert (status, body["instanceId"], body["runtimeStatus"]) == (200, instance_id, "Running")
    assert [(each["kind"], each["name"]) for each in body["waitingFor"]] == [("event", "go")]
    (waiting,) = await host.hub.why(instance_id)
    assert (waiting.kind, waiting.name) == (WaitKind.EVENT, "go")
    assert waiting.in_words().startswith("It waits for the event 'go' since 20")


async def test_the_status_says_so_only_if_that_is_asked(host: Host) -> None:
    instance_id = await host.waiting()
    status, body = await ask(host, "GET", f"{instance_id}?showWaiting=true")
    assert (status, [each["kind"] for each in body["waitingFor"]]) == (202, ["event"])
    assert (body["customStatus"], body["name"]) == ("waits", "waiting")
    assert "waitingFor" not in (await ask(host, "GET", instance_id))[1]
    ended = await host.ended()
    status, body = await ask(host, "GET", f"{ended}?showWaiting=true&showHistory=true")
    assert (status, [each["kind"] for each in body["waitingFor"]]) == (200, ["nothing"])
    assert body["historyEvents"]


async def test_of_nobody_it_is_asked_in_vain(host: Host) -> None:
    assert (await ask(host, "GET", "nobody/why"))[0] == 404
    assert (await ask(host, "GET", "nobody?showWaiting=true"))[0] == 404
    assert (await ask(host, "GET", "nobody?showWaiting=maybe"))[0] == 400
    with pytest.raises(InstanceNotFoundError):
        await host.hub.why("nobody")


# ---- the custom status ---------------------------------------------------------------------


@pytest.mark.parametrize("value", [{"step": [1, None]}, "text", 0, None])
async def test_a_status_set_by_hand_is_shown(host: Host, value: Any) -> None:
    instance_id = await host.waiting()
    assert await ask(host, "PUT", f"{instance_id}/customStatus", data=json.dumps(value)) == (
        202,
        None,
    )
    await host.hub.raise_event(instance_id, "go")
    state = await host.hub.wait_for_instance_completion(instance_id)
    assert state.custom_status == value


async def test_the_client_sets_one_too(host: Host) -> None:
    instance_id = await host.waiting()
    await host.hub.set_custom_status(instance_id, {"by": "hand"})
    await host.hub.raise_event(instance_id, "go")
    state = await host.hub.wait_for_instance_completion(instance_id)
    assert state.custom_status == {"by": "hand"}


async def test_where_it_cannot_be_set_the_answer_says_why(host: Host) -> None:
    instance_id, ended = await host.waiting(), await host.ended()
    assert (await ask(host, "PUT", f"{instance_id}/customStatus", data=b"{"))[0] == 400
    for empty in (b"", b"  ", b"\xef\xbb\xbf"):
        status, said = await ask(host, "PUT", f"{instance_id}/customStatus", data=empty)
        assert (status, "or null to show none" in said["ExceptionMessage"]) == (400, True)
        assert (await ask(host, "PUT", f"{ended}/customStatus", data=empty))[0] == 410
    assert (await ask(host, "PUT", "nobody/customStatus", json=1))[0] == 404
    assert (await ask(host, "PUT", "nobody/customStatus", data=b"{"))[0] == 404
    assert (await ask(host, "PUT", f"{ended}/customStatus", json=1))[0] == 410
    assert (await ask(host, "POST", f"{instance_id}/customStatus", json=1))[0] == 405
    with pytest.raises(InstanceStateError):
        await host.hub.set_custom_status(ended, 1)
