"""Looking at the hub itself."""

from __future__ import annotations

from tests.http.hosting import Host


async def test_the_hosts_of_the_hub_are_listed_with_what_they_do(host: Host) -> None:
    await host.call("POST", "orchestrators/waiting/it")
    await host.hub.wait_for_instance_start("it")
    response = await host.call("GET", "hosts")
    assert response.status == 200
    (shown,) = await response.json()
    assert shown.pop("id")
    assert shown.pop("startedTime") <= shown.pop("lastSeenTime")
    assert shown.pop("sessions") in {0, 1}
    assert shown == {
        "version": "1.2.3",
        "appVersion": None,
        "activities": 0,
        "functions": ["echo", "waiting"],
        "moreFunctions": 0,
    }


async def test_an_instance_may_be_called_as_what_stands_beside_instances(host: Host) -> None:
    for name in ("hosts", "jobs", "batch", "counts"):
        assert (await host.call("POST", f"orchestrators/waiting/{name}")).status == 202
        assert (await host.call("GET", f"instances/{name}")).status == 202
