"""`Strict-Transport-Security`: for those who came by https, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.http.hosting import make_settings, running_host

ON = {"hsts": {"isEnabled": True}}
PROXY = {"trustedProxies": ["127.0.0.1"]}


@pytest.mark.parametrize(
    ("hsts", "limits", "headers", "expected"),
    [
        ({}, PROXY, {"X-Forwarded-Proto": "https"}, None),
        ({"isEnabled": True}, {}, {}, None),
        ({"isEnabled": True}, PROXY, {"X-Forwarded-Proto": "http"}, None),
        ({"isEnabled": True}, {}, {"X-Forwarded-Proto": "https"}, None),  # it is not believed
        ({"isEnabled": True}, PROXY, {"X-Forwarded-Proto": "https"}, "max-age=2592000"),
        ({"isEnabled": True}, {"publicUrl": "https://hub.example"}, {}, "max-age=2592000"),
        ({"isEnabled": True}, {"publicUrl": "https://localhost"}, {}, None),
        (
            {"isEnabled": True, "maxAge": "10", "includeSubDomains": True, "preload": True},
            PROXY,
            {"X-Forwarded-Proto": "https"},
            "max-age=864000; includeSubDomains; preload",
        ),
        ({"isEnabled": True, "maxAge": "01:00:00"}, PROXY, {"X-Forwarded-Proto": "https"},
         "max-age=3600"),
    ],
)  # fmt: skip
async def test_who_is_told_to_come_by_https(
    hsts: dict[str, Any],
    limits: dict[str, Any],
    headers: dict[str, str],
    expected: str | None,
    tmp_path: Any,
) -> None:
    async with running_host(tmp_path / "keys.json", http={"hsts": hsts}, limits=limits) as host:
        asked = {"Host": "hub.example", **headers}
        for path in ("/healthz", "/api/nothing", "instances"):
            response = await host.call("GET", path, headers=asked)
            assert response.headers.get("Strict-Transport-Security") == expected


@pytest.mark.parametrize("age", ["", "soon", "00:00:00", -1, True, "0"])
def test_an_age_that_is_none_is_refused(age: Any) -> None:
    with pytest.raises(ValidationError):
        make_settings({"hsts": {"isEnabled": True, "maxAge": age}}, {}, {})
