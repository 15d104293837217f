"""Two people who set up or take away one hub at once both get what they want; so who comes late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from host.errors import ConfigurationError
from host.settings.connections import AwsOptions
from host.storage.aws.schema import HubLayout
from host.storage.aws.setup.provision import Provisioner
from tests.kit.aws_servers import REGION, aws_environment

pytestmark = pytest.mark.aws


@pytest.fixture
def layout() -> HubLayout:
    return HubLayout(hub=f"T{uuid4().hex[:12]}")


@pytest.fixture
def make(
    aws_url: str, layout: HubLayout, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Provisioner]:
    """Someone who sets the hub up."""
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    return lambda: Provisioner(layout, AwsOptions(region=REGION), pause=lambda _: None)


def events_of(someone: Provisioner) -> Any:
    return someone._dynamodb.meta.events  # noqa: SLF001 - boto3's own hooks


def just_before(someone: Provisioner, operation: str, act: Callable[[], object]) -> None:
    """Let something happen once, in the moment before someone's request."""
    waiting = [act]

    def happen(**_: Any) -> None:
        if waiting:
            waiting.pop()()

    events_of(someone).register(f"before-call.dynamodb.{operation}", happen)


def shown_as(
    someone: Provisioner, state: str, *, times: int = 1, then: Callable[[], object] = list
) -> None:
    """Let the table be shown in this state so often; `then` happens after the first time."""
    left = [state] * times

    def change(parsed: dict[str, Any], **_: Any) -> None:
        if left and "Table" in parsed:
            parsed["Table"]["TableStatus"] = left.pop()
            then()

    events_of(someone).register("after-call.dynamodb.DescribeTable", change)


def is_ready(someone: Provisioner) -> bool:
    return not any(finding.problem for finding in someone.status())


def is_gone(someone: Provisioner) -> bool:
    return all("missing" in str(finding.problem) for finding in someone.status())


def test_two_who_create_a_hub_at_once_have_it(make: Callable[[], Provisioner]) -> None:
    one, other = make(), make()
    just_before(one, "CreateTable", lambda: list(other.create()))
    said = list(one.create())
    assert said[0].endswith(" exists.")
    assert is_ready(one)


def test_two_who_delete_a_hub_at_once_are_rid_of_it(make: Callable[[], Provisioner]) -> None:
    one, other = make(), make()
    list(one.create())
    just_before(one, "DeleteTable", lambda: list(other.delete()))
    list(one.delete())
    assert is_gone(one)


def test_what_is_being_deleted_is_made_anew_when_it_is_gone(
    make: Callable[[], Provisioner], layout: HubLayout
) -> None:
    """As after a `hub delete` that was killed."""
    one, other = make(), make()
    list(one.create())
    shown_as(one, "DELETING", then=lambda: list(other.delete()))
    assert next(one.create()) == f"Created table {layout.table_name}."


@pytest.mark.parametrize("state", ["INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVING", "ARCHIVED"])
def test_a_table_without_its_key_is_told_at_once_and_can_be_deleted(
    make: Callable[[], Provisioner], state: str
) -> None:
    """Waiting for it would end after three minutes, with nothing said of the key."""
    one = make()
    list(one.create())
    shown_as(one, state, times=2)
    with pytest.raises(ConfigurationError, match=f"it is {state}, since its KMS key cannot be"):
        list(one.create())
    shown_as(one, state)
    assert "KMS key" in str(next(iter(one.status())).problem)
    shown_as(one, state)
    list(one.delete())
    assert is_gone(one)
