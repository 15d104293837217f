"""Commands, which ask by boto3, and hosts, which ask by themselves, reach the same endpoints."""

from __future__ import annotations

import pytest

from host.clock import SystemClock
from host.settings.connections import AwsOptions
from host.storage.aws.setup.sessions import setup_clients
from host.storage.aws.wire.endpoints import resolve

FIPS, DUAL_STACK = "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"
CONFIGURED = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE", FIPS, DUAL_STACK)


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1", "eu-central-1"])
@pytest.mark.parametrize("variables", [(), (FIPS,), (DUAL_STACK,), (FIPS, DUAL_STACK)], ids=str)
def test_commands_and_hosts_reach_the_same_endpoints(
    region: str, variables: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CONFIGURED:
        monkeypatch.delenv(name, raising=False)
    for name in variables:
        monkeypatch.setenv(name, "true")
    options = AwsOptions(region=region)
    config, clients = resolve(options, SystemClock()), setup_clients(options)
    assert config.dynamodb.url == clients.dynamodb.meta.endpoint_url.rstrip("/")
    assert config.sqs.url == clients.sqs.meta.endpoint_url.rstrip("/")


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_an_endpoint_of_ones_own_is_taken_by_both(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CONFIGURED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", "http://127.0.0.1:4566")
    options = AwsOptions(region="us-east-1")
    config, clients = resolve(options, SystemClock()), setup_clients(options)
    assert getattr(config, service).url == "http://127.0.0.1:4566"
    assert getattr(clients, service).meta.endpoint_url.rstrip("/") == "http://127.0.0.1:4566"
