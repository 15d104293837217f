"""Where the services are and who this host is, by the standard AWS configuration.

Rules of this file: botocore resolves, so whatever AWS's own tools honour is honoured here too: the
environment, the profile, endpoint URLs of all services or of one, FIPS and dual-stack endpoints.
What the host's own settings say goes before all that. Nothing here asks the network: keys are
looked for when the first call needs them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import botocore.session
from botocore.exceptions import BotoCoreError

from host.clock import Clock
from host.errors import ConfigurationError
from host.settings.connections import AwsOptions
from host.storage.aws.wire.credentials import ChainCredentials, KeySource
from host.storage.aws.wire.signing import Credentials

_UNUSED = "unused"
"""Keys for clients that only tell their endpoint, so that botocore does not look for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One service in one region; `url` without a slash at its end."""

    url: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsConfig:
    """All that clients need to reach the services."""

    dynamodb: Endpoint
    sqs: Endpoint
    credentials: Credentials
    ca_bundle: str | None = None


def resolve(options: AwsOptions, clock: Clock) -> AwsConfig:
    """Find the endpoints. Raises `ConfigurationError` if there is no region or profile.

    Reads configuration files, and takes some tenths of a second.
    """
    session = botocore.session.Session(profile=options.profile)
    try:
        region = options.region or os.environ.get("AWS_REGION") or _configured(session, "region")
        if region is None:
            raise ConfigurationError(
                "No AWS region is set: set AWS_REGION, or `region` of the storage provider in "
                "host.json, or choose a profile that has one."
            )
        dynamodb_url = options.dynamodb_endpoint_url or options.endpoint_url
        sqs_url = options.sqs_endpoint_url or options.endpoint_url
        return AwsConfig(
            dynamodb=_endpoint(session, "dynamodb", region, dynamodb_url),
            sqs=_endpoint(session, "sqs", region, sqs_url),
            credentials=ChainCredentials(lambda: _find_keys(options.profile, region), clock),
            ca_bundle=_configured(session, "ca_bundle"),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"The AWS configuration cannot be used: {error}") from error


def _configured(session: botocore.session.Session, name: str) -> str | None:
    value = session.get_config_variable(name)
    return str(value) if value else None


def _endpoint(
    session: botocore.session.Session, service: str, region: str, url: str | None
) -> Endpoint:
    client = session.create_client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=_UNUSED,
        aws_secret_access_key=_UNUSED,
    )
    return Endpoint(url=str(client.meta.endpoint_url).rstrip("/"), region=region)


def _find_keys(profile: str | None, region: str) -> KeySource | None:
    # A new session each time, so that files that were changed meanwhile are read again.
    session = botocore.session.Session(profile=profile)
    session.set_config_variable("region", region)
    source: KeySource | None = session.get_credentials()
    return source
