"""Requests signed for AWS, by botocore's own signer. This needs the packages of the extra `aws`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from bindings.errors import HttpCallError
from bindings.token_sources import AwsSignature
from host.clock import Clock
from host.errors import ConfigurationError, StorageError
from host.http_calls.calls import Proof
from host.http_calls.redirects import Hop
from host.settings.connections import AwsOptions
from host.storage.aws.wire.endpoints import resolve
from host.storage.aws.wire.signing import Credentials

_UNRESERVED: Final = "-_.~"
_S3: Final = frozenset({"s3", "s3-object-lambda", "s3-outposts"})
_SIGNED: Final = frozenset({"content-type"})
"""Of the author's headers; besides them those of AWS, `X-Amz-...`."""


class AwsSignatures:
    """Signs with the host's credentials, found by AWS's standard chain."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._credentials: dict[str, Credentials] = {}

    async def of(self, source: AwsSignature, hop: Hop) -> Proof:
        """The headers that sign this request.

        Raises ConnectionError if there are no credentials now, `HttpCallError` if AWS is configured
        wrongly.
        """
        try:
            keys = await (await self._of_region(source.region)).keys()
        except ConfigurationError as error:
            raise HttpCallError(str(error)) from None
        except StorageError as error:
            raise ConnectionError(f"the request cannot be signed: {error}") from None
        credentials = BotocoreCredentials(keys.access_key, keys.secret_key, keys.token)
        kind = S3SigV4Auth if source.service in _S3 else SigV4Auth
        request = AWSRequest(
            method=hop.method,
            url=_canonical(hop.url),
            headers=_signed_of(hop.headers),
            data=hop.body or b"",
        )
        given = set(request.headers)
        kind(credentials, source.service, source.region).add_auth(request)
        added = {name: str(request.headers[name]) for name in set(request.headers) - given}
        secrets = (keys.token,) if keys.token else ()
        return Proof(added, (*secrets, added["Authorization"]))

    async def _of_region(self, region: str) -> Credentials:
        if region not in self._credentials:
            config = await asyncio.to_thread(resolve, AwsOptions(region=region), self._clock)
            self._credentials[region] = config.credentials
        return self._credentials[region]


def _signed_of(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name.lower() in _SIGNED or name.lower().startswith("x-amz-")
    }


def _canonical(url: str) -> str:
    """The URL as AWS puts it before it compares signatures: each value of the query encoded."""
    parts = urlsplit(url)
    pairs = [each.partition("=") for each in parts.query.split("&") if each]
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _encoded(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)
