"""Where the services are and who asks: the host's settings first, then the AWS configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from host.errors import ConfigurationError
from host.settings.connections import AwsOptions
from host.storage.aws.wire.endpoints import AwsConfig, resolve
from host.storage.aws.wire.signing import Keys
from tests.kit.scripted_transport import LeapingClock


@pytest.fixture(autouse=True)
def aws_config_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without any AWS configuration, but for an empty file."""
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return config


def resolved(**options: str) -> AwsConfig:
    return resolve(AwsOptions(**options), LeapingClock())


def urls(config: AwsConfig) -> tuple[str, str]:
    return config.dynamodb.url, config.sqs.url


def test_a_region_gives_the_services_own_endpoints() -> None:
    config = resolved(region="eu-central-1")
    assert urls(config) == (
        "https://dynamodb.eu-central-1.amazonaws.com",
        "https://sqs.eu-central-1.amazonaws.com",
    )
    assert config.dynamodb.region == config.sqs.region == "eu-central-1"


def test_endpoints_of_other_partitions_and_of_fips_are_botocores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert resolved(region="cn-north-1").sqs.url == "https://sqs.cn-north-1.amazonaws.com.cn"
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    assert resolved(region="us-west-2").sqs.url == "https://sqs-fips.us-west-2.amazonaws.com"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_may_come_from_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "ap-south-1")
    assert resolved().dynamodb.region == "ap-south-1"
    assert resolved(region="eu-west-1").dynamodb.region == "eu-west-1"


def test_the_profile_gives_region_endpoint_and_bundle(
    aws_config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws_config_file.write_text(
        "[profile dev]\nregion = eu-north-1\nca_bundle = /some/bundle.pem\nservices = local\n"
        "[services local]\ndynamodb =\n  endpoint_url = http://127.0.0.1:8000\n"
    )
    config = resolved(profile="dev")
    monkeypatch.setenv("AWS_PROFILE", "dev")
    for each in (config, resolved()):
        assert urls(each) == ("http://127.0.0.1:8000", "https://sqs.eu-north-1.amazonaws.com")
        assert each.ca_bundle == "/some/bundle.pem"


def test_the_environment_gives_endpoints_of_all_services_or_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/")
    assert urls(resolved()) == ("http://127.0.0.1:4566", "http://127.0.0.1:4566")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9324")
    assert urls(resolved()) == ("http://127.0.0.1:4566", "http://127.0.0.1:9324")


def test_the_hosts_settings_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9324")
    config = resolved(region="us-east-1", endpoint_url="http://localhost:1")
    assert urls(config) == ("http://localhost:1", "http://localhost:1")
    config = resolved(
        region="us-east-1", endpoint_url="http://localhost:1", sqs_endpoint_url="http://localhost:2"
    )
    assert urls(config) == ("http://localhost:1", "http://localhost:2")
    config = resolved(region="us-east-1", dynamodb_endpoint_url="http://localhost:3")
    assert urls(config) == ("http://localhost:3", "http://127.0.0.1:9324")


def test_a_missing_region_says_where_to_set_it() -> None:
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        resolved()


def test_a_missing_profile_is_named() -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        resolved(profile="nowhere", region="us-east-1")


def test_an_impossible_endpoint_is_named() -> None:
    with pytest.raises(ConfigurationError, match="not a url"):
        resolved(region="us-east-1", endpoint_url="not a url")


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    credentials = resolved(region="us-east-1").credentials
    assert asyncio.run(credentials.keys()) == Keys("AK", "secret", "token")


def test_keys_of_a_profile_come_from_its_files(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[ops]\naws_access_key_id = AK\naws_secret_access_key = secret\n"
    )
    credentials = resolved(region="us-east-1", profile="ops").credentials
    assert asyncio.run(credentials.keys()) == Keys("AK", "secret")


def test_keys_may_come_from_a_command_that_gives_them_an_end(
    aws_config_file: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(
        '{"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "secret",'
        ' "SessionToken": "token", "Expiration": "2099-01-01T00:00:00Z"}'
    )
    aws_config_file.write_text(f"[profile ops]\ncredential_process = cat {keys}\n")
    credentials = resolved(region="us-east-1", profile="ops").credentials
    assert asyncio.run(credentials.keys()) == Keys("AK", "secret", "token")
