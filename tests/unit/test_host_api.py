"""The command line's client of the HTTP API: where it asks, and for what."""

from __future__ import annotations

import click
import pytest

from host.cli.host_api import other_verb, url_of
from host.http.management.looking import CONTINUATION, RUNTIME_STATUS, TOP
from host.http.management.operations import OPERATIONS
from host.http.management.room import INSTANCE_ID
from host.http.management.steering import EVENT_NAME

BY_ID = {each.id: each for each in OPERATIONS}
INSTANCES = "http://h/runtime/webhooks/durabletask/instances"


@pytest.mark.parametrize("base", ["http://h", "http://h/"])
def test_values_stand_in_the_path_in_the_query_and_in_headers(base: str) -> None:
    event = url_of(base, BY_ID["raiseEvent"], {INSTANCE_ID: "a/b c", EVENT_NAME: "{instance_id}"})
    assert str(event) == f"{INSTANCES}/a%2Fb%20c/raiseEvent/%7Binstance_id%7D"
    page = {RUNTIME_STATUS: "Failed,Running", TOP: "5", CONTINUATION: "token"}
    listed = url_of(base, BY_ID["listInstances"], page)
    assert str(listed) == f"{INSTANCES}?runtimeStatus=Failed%2CRunning&top=5"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_what_would_lead_elsewhere_is_refused(value: str) -> None:
    with pytest.raises(click.BadParameter, match="That cannot be an instance's id"):
        url_of("http://h", BY_ID["getInstance"], {INSTANCE_ID: value})


def test_asking_whether_an_operation_is_there_does_nothing() -> None:
    taken = {(each.verb, each.path) for each in OPERATIONS}
    for each in OPERATIONS:
        assert (other_verb(each), each.path) not in taken
