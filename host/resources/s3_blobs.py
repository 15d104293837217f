"""Containers that are buckets of S3, by boto3 in threads of their own.

This needs the packages of the extra `aws`: import it when something is on AWS, and not before.

Rules of this file: an object is written by one request, or in parts that make it when all are
there. One that is not written to its end is none, and its parts are removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from bindings.blob_names import check_container, check_name
from bindings.kinds.blobs import BlobFacts, BlobRules
from host.errors import ConfigurationError, ResourceAwayError, ResourceError
from host.settings.connections import AwsOptions
from host.storage.aws.setup.sessions import code_of, session_of
from host.storage.aws.wire.credentials import NO_KEYS

THREADS: Final = 32
"""So many requests are on their way at once; more wait for their turn."""
PART_BYTES: Final = 8 * 1024 * 1024
"""What is longer is sent in parts. S3 takes none below 5 MiB, and 10,000 of them."""

_T = TypeVar("_T")
_OWN_HOSTS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_NO_BLOB: Final = frozenset({"NoSuchKey", "NotFound", "404"})
_AWAY: Final = frozenset(
    {"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling"}
)
_DENIED: Final = frozenset({"AccessDenied", "AllAccessDisabled", "403"})


class S3Blobs:
    """The buckets of all places that bindings name."""

    def __init__(self, rules: BlobRules) -> None:
        self._rules = rules
        self._threads = ThreadPoolExecutor(THREADS, "s3")
        self._clients: dict[AwsOptions, asyncio.Task[Any]] = {}

    def container(self, name: str, options: AwsOptions) -> S3Container:
        """The bucket. Raises `InvalidArgumentError` if there can be none of this name."""
        check_container(name)
        return S3Container(name, self._rules, partial(self._client, options), self.in_thread)

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Do what blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def close(self) -> None:
        """Let go of all connections. Requests that are on their way are not waited for."""
        for making in self._clients.values():
            making.cancel()
        made = await asyncio.gather(*self._clients.values(), return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in made:
            if not isinstance(client, BaseException):
                client.close()

    async def _client(self, options: AwsOptions) -> Any:
        making = self._clients.get(options)
        if making is None or (making.done() and (making.cancelled() or making.exception())):
            making = asyncio.create_task(self.in_thread(partial(_made_client, options)))
            self._clients[options] = making
        return await asyncio.shield(making)


class S3Container:
    """One bucket. A `BlobContainer`."""

    folder = None
    """New blobs are told of by the bucket's notifications."""

    def __init__(
        self,
        name: str,
        rules: BlobRules,
        client: Callable[[], Any],
        in_thread: Callable[[Callable[[], Any]], Any],
    ) -> None:
        """`client` gives an awaitable of boto3's client."""
        self.name = name
        self.rules = rules
        self._client = client
        self._in_thread = in_thread

    async def open(self, name: str) -> S3Blob | None:
        """The blob, to be read; None if there is none."""
        check_name(name)
        client = await self._client()
        blob: S3Blob | None = await self._in_thread(partial(self._open, client, name))
        return blob

    async def write(self, name: str, parts: AsyncIterator[bytes]) -> None:
        """Write the blob as a whole."""
        check_name(name)
        client = await self._client()
        async with aclosing(_gathered(parts)) as gathered:
            first = await anext(gathered, b"")
            second = await anext(gathered, None)
            if second is None:
                await self._ask("s3:PutObject", client.put_object, name, Body=first)
                return
            await self._write_parts(client, name, _chained([first, second], gathered))

    async def _write_parts(self, client: Any, name: str, parts: AsyncIterator[bytes]) -> None:
        begun = await self._ask("s3:PutObject", client.create_multipart_upload, name)
        upload = {"UploadId": begun["UploadId"]}
        try:
            sent: list[dict[str, Any]] = []
            async for part in parts:
                number = {"PartNumber": len(sent) + 1}
                answer = await self._ask(
                    "s3:PutObject", client.upload_part, name, Body=part, **upload, **number
                )
                sent.append({"ETag": answer["ETag"], **number})
            await self._ask(
                "s3:PutObject",
                client.complete_multipart_upload,
                name,
                MultipartUpload={"Parts": sent},
                **upload,
            )
        except BaseException:
            with suppress(Exception):  # what failed first is what is said
                await self._ask(
                    "s3:AbortMultipartUpload", client.abort_multipart_upload, name, **upload
                )
            raise

    async def _ask(self, right: str, method: Callable[..., Any], name: str, **more: Any) -> Any:
        return await self._in_thread(partial(self._ask_now, right, method, name, more))

    def _ask_now(
        self, right: str, method: Callable[..., Any], name: str, more: dict[str, Any]
    ) -> Any:
        with self._translated(name, right):
            return method(Bucket=self.name, Key=name, **more)

    def _open(self, client: Any, name: str) -> S3Blob | None:
        with self._translated(name, "s3:GetObject and s3:ListBucket"):
            try:
                found = client.get_object(Bucket=self.name, Key=name)
            except ClientError as error:
                if code_of(error) in _NO_BLOB:
                    return None
                raise
        facts = BlobFacts(
            name=name,
            length=found["ContentLength"],
            uri=f"s3://{self.name}/{name}",
            etag=found["ETag"].strip('"'),
            last_modified=found["LastModified"],
            metadata=found.get("Metadata", {}),
        )
        return S3Blob(found["Body"], facts)

    @contextmanager
    def _translated(self, name: str, right: str) -> Iterator[None]:
        """Turn boto3's errors into the host's."""
        try:
            yield
        except ClientError as error:
            raise self._refusal(error, name, right) from error
        except NoCredentialsError as error:
            raise ResourceError(NO_KEYS) from error
        except (BotoCoreError, ValueError) as error:
            raise ResourceAwayError(
                f"S3 does not answer for '{self.name}/{name}': {error}"
            ) from error

    def _refusal(self, error: ClientError, name: str, right: str) -> Exception:
        code = code_of(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        if code == "NoSuchBucket":
            return ResourceError(
                f"There is no bucket '{self.name}' on S3: create it, or name another one as the "
                "container."
            )
        if code in _DENIED:
            return ResourceError(
                f"S3 denies access to '{self.name}/{name}': allow {right} on the bucket. Without "
                "s3:ListBucket a blob that is missing is denied, too."
            )
        if code in _AWAY or status >= 500:
            return ResourceAwayError(f"S3 cannot serve '{self.name}/{name}' now: {error}")
        return ResourceError(f"S3 refuses '{self.name}/{name}': {error}")


class S3Blob:
    """An object that is being read. An `OpenBlob`."""

    def __init__(self, body: Any, facts: BlobFacts) -> None:
        self._body = body
        self.facts = facts

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        try:
            return bytes(self._body.read(size))
        except (BotoCoreError, OSError) as error:
            raise ResourceAwayError(
                f"The connection to S3 broke off while {self.facts.uri} was read: {error}"
            ) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._body.close()


def _made_client(options: AwsOptions) -> Any:
    try:
        session = session_of(options)
        client = _client_of(session, options, path_style=False)
        if not str(client.meta.endpoint_url).rstrip("/").endswith(_OWN_HOSTS):
            client.close()  # other servers do not answer at a name with the bucket in front
            client = _client_of(session, options, path_style=True)
    except NoRegionError as error:
        raise ConfigurationError(
            "No AWS region is set for S3: set AWS_REGION, or the region of the connection."
        ) from error
    except (BotoCoreError, ProfileNotFound, ValueError) as error:
        raise ConfigurationError(f"The AWS configuration cannot be used: {error}") from error
    return client


def _client_of(session: boto3.session.Session, options: AwsOptions, *, path_style: bool) -> Any:
    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=THREADS,
        s3={"addressing_style": "path"} if path_style else None,
    )
    return session.client("s3", endpoint_url=options.endpoint_url, config=config)


async def _gathered(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes in pieces of `PART_BYTES` at least, but for the last one."""
    waiting = bytearray()
    async for part in parts:
        if not waiting and len(part) >= PART_BYTES:
            yield part
            continue
        waiting += part
        if len(waiting) >= PART_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


async def _chained(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for part in first:
        yield part
    async for part in rest:
        yield part
