"""`httpSettings` of host.json: whom `call_http` may ask, and how much it takes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.errors import ConfigurationError
from host.settings import load_settings
from host.settings.http_calls import HttpCallSettings


def read(folder: Path, said: Any) -> HttpCallSettings:
    document = {"version": "2.0", "extensions": {"durableTask": {"httpSettings": said}}}
    (folder / "host.json").write_text(json.dumps(document))
    return load_settings(folder, {}).extensions.durable_task.http_settings


def test_nothing_needs_to_be_said(tmp_path: Path) -> None:
    settings = read(tmp_path, {})
    assert settings.allowed == ()
    assert settings.poll_s == 30
    assert settings.max_response_bytes == 1024 * 1024
    assert settings.request_timeout == timedelta(seconds=100)


def test_what_is_said_counts(tmp_path: Path) -> None:
    hosts = ["Billing.internal", "localhost:8080", "*.svc.local", "10.20.0.0/16", "[::1]:443"]
    settings = read(
        tmp_path,
        {
            "allowedHosts": hosts,
            "defaultAsyncRequestSleepTimeMilliseconds": 5000,
            "MAXRESPONSEBYTES": 10,
            "requestTimeout": "00:00:05",
        },
    )
    assert settings.poll_s == 5
    assert settings.max_response_bytes == 10
    assert settings.request_timeout == timedelta(seconds=5)
    first, second, third, fourth, fifth = settings.allowed
    assert first.host == "billing.internal"
    assert (second.host, second.port) == ("localhost", 8080)
    assert (third.host, third.is_domain) == ("svc.local", True)
    assert str(fourth.network) == "10.20.0.0/16"
    assert (fifth.host, fifth.port) == ("::1", 443)


@pytest.mark.parametrize(
    "said",
    [
        {"allowedHosts": "localhost"},
        {"allowedHosts": ["http://localhost"]},
        {"allowedHosts": ["*"]},
        {"allowedHosts": ["*.*.local"]},
        {"allowedHosts": ["localhost:0"]},
        {"allowedHosts": ["localhost:99999"]},
        {"allowedHosts": ["10.0.0.1/8"]},
        {"allowedHosts": ["10.0.0.0/33"]},
        {"allowedHosts": ["[::1"]},
        {"allowedHosts": ["[::zz]"]},
        {"allowedHosts": [""]},
        {"allowedHosts": [None]},
        {"defaultAsyncRequestSleepTimeMilliseconds": 0},
        {"defaultAsyncRequestSleepTimeMilliseconds": 90_000_000},
        {"maxResponseBytes": 0},
        {"maxResponseBytes": True},
        {"requestTimeout": "00:00:00"},
        {"requestTimeout": "2.00:00:00"},
        {"requestTimeout": "soon"},
    ],
)
def test_what_cannot_be_is_refused_by_its_place(tmp_path: Path, said: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, said)
    assert f"httpSettings.{next(iter(said))}" in str(raised.value)
