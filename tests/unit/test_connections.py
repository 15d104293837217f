"""Where the app settings of a connection say that its queues, tables and blobs are."""

from __future__ import annotations

import pytest

from host.errors import ConfigurationError
from host.settings.connections import AwsOptions, read_connection
from host.settings.values import AppSettings


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ({"X__region": "eu-west-1"}, AwsOptions(region="eu-west-1")),
        ({"x:REGION": "eu-west-1"}, AwsOptions(region="eu-west-1")),
        ({"X__profile": "batch"}, AwsOptions(profile="batch")),
        ({"X__endpoint": "http://here:1/"}, AwsOptions(endpoint_url="http://here:1")),
        ({"X": "http://here:1"}, AwsOptions(endpoint_url="http://here:1")),
        (
            {"X": "http://no:1", "X__endpoint": "https://yes", "X__region": "r"},
            AwsOptions(region="r", endpoint_url="https://yes"),
        ),
    ],
)
def test_a_connection_is_made_of_its_settings(values: dict[str, str], meant: AwsOptions) -> None:
    assert read_connection(AppSettings(values), "X") == meant


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"X": ""},
        {"X__region": ""},
        {"Y__region": "eu-west-1"},
        {"X": "DefaultEndpointsProtocol=https;AccountName=secret"},
        {"X__endpoint": "here"},
    ],
)
def test_settings_that_say_no_place_are_refused_without_showing_them(
    values: dict[str, str],
) -> None:
    with pytest.raises(ConfigurationError, match="The connection 'X'") as refused:
        read_connection(AppSettings(values), "X")
    assert "secret" not in str(refused.value)
