"""What goes wrong with a table of DynamoDB, in words that say what is to be done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from bindings.tables.records import KeyNames
from host.errors import (
    ResourceAwayError,
    ResourceError,
    StorageError,
    StorageUnavailableError,
    StoreAwayError,
)
from host.storage.aws.wire.client import AwsClient
from host.storage.aws.wire.errors import AwsError, AwsUnavailableError, ResourceMissingError

_ACTIONS: Final = (
    "BatchGetItem, BatchWriteItem, DescribeTable, GetItem, PutItem, Query and Scan of dynamodb"
)
_INVALID: Final = "ValidationException"


@asynccontextmanager
async def told(client: AwsClient, table: str, keys: KeyNames) -> AsyncIterator[None]:
    """Make a `ResourceError` of what a call raises."""
    try:
        yield
    except ResourceMissingError:
        raise ResourceError(_missing(table, client.region, keys)) from None
    except StoreAwayError as error:
        raise ResourceAwayError(f"The table '{table}' does not answer: {error}") from error
    except AwsUnavailableError as error:
        raise ResourceError(
            f"The table '{table}' cannot be used: {error.code}: {error.message} The role of this "
            f"host needs {_ACTIONS} on it, and the use of its KMS key if it has one."
        ) from error
    except AwsError as error:
        raise await _refused(client, table, keys, error) from error
    except StorageUnavailableError as error:
        raise ResourceAwayError(f"The table '{table}' does not answer: {error}") from error


async def _refused(client: AwsClient, table: str, keys: KeyNames, error: AwsError) -> ResourceError:
    """Most often it is refused for its keys: then the table says which it has."""
    found = await _keys_of(client, table) if error.code == _INVALID else None
    if found is not None and found != _wanted(keys):
        return wrong_keys(table, keys, ", ".join(f"'{name}' ({kind})" for name, kind in found))
    return ResourceError(f"The table '{table}' refused it: {error.code}: {error.message}")


def wrong_keys(table: str, keys: KeyNames, found: str) -> ResourceError:
    """The error for a table with other keys than the binding's."""
    return ResourceError(
        f"The keys of the table '{table}' are {found}, and the binding's are '{keys.partition}' "
        f"and '{keys.row}', both texts (S): say those of the table in 'keyAttributes'."
    )


def _wanted(keys: KeyNames) -> Sequence[tuple[str, str]]:
    return [(keys.partition, "S"), (keys.row, "S")]


async def _keys_of(client: AwsClient, table: str) -> Sequence[tuple[str, str]] | None:
    """Its keys and their types; None if it does not say."""
    try:
        answer: dict[str, Any] = await client.call("DescribeTable", {"TableName": table})
    except StorageError:
        return None
    described = answer.get("Table", {})
    kinds = {
        each["AttributeName"]: each["AttributeType"]
        for each in described.get("AttributeDefinitions", ())
    }
    schema = sorted(described.get("KeySchema", ()), key=lambda each: str(each["KeyType"]))
    return [(each["AttributeName"], kinds.get(each["AttributeName"], "?")) for each in schema]


def _missing(table: str, region: str, keys: KeyNames) -> str:
    names = (keys.partition, keys.row)
    definitions = " ".join(f"AttributeName={name},AttributeType=S" for name in names)
    schema = " ".join(
        f"AttributeName={name},KeyType={kind}"
        for name, kind in zip(names, ("HASH", "RANGE"), strict=True)
    )
    return (
        f"There is no table '{table}' in {region}. Make it, such as by: aws dynamodb create-table "
        f"--table-name {table} --billing-mode PAY_PER_REQUEST --attribute-definitions "
        f"{definitions} --key-schema {schema}"
    )
