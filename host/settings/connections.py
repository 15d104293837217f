"""Where on AWS something is, as settings say it: of a hub, or of what bindings name.

A binding's `connection: X` means the app settings `X__region`, `X__endpoint` and `X__profile`; `X`
alone is an endpoint URL. What they leave open, the standard AWS configuration decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from host.errors import ConfigurationError
from host.settings.values import AppSettings

_URL = re.compile(r"https?://[^\s/?#]+[^\s]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsOptions:
    """What the host's own settings say; what they leave open, the AWS configuration decides."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    dynamodb_endpoint_url: str | None = None
    sqs_endpoint_url: str | None = None


def read_connection(values: AppSettings, name: str) -> AwsOptions:
    """The place that the app settings of this name say. Raises `ConfigurationError`."""
    found = {part: values.get(f"{name}__{part}") for part in ("region", "endpoint", "profile")}
    endpoint = found["endpoint"] or values.get(name)
    if not endpoint and not any(found.values()):
        raise ConfigurationError(
            f"The connection '{name}' is not set: set the app settings {name}__region, "
            f"{name}__endpoint or {name}__profile, or leave the connection out for the place that "
            "goes with the hub."
        )
    if endpoint and not _URL.fullmatch(endpoint):
        raise ConfigurationError(
            f"The connection '{name}' has an endpoint that is no URL such as "
            "http://localhost:4566 (a connection string of Azure is none)."
        )
    return AwsOptions(
        region=found["region"] or None,
        profile=found["profile"] or None,
        endpoint_url=endpoint.rstrip("/") if endpoint else None,
    )
