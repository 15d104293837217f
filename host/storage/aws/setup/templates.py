"""What `funchost hub template` prints: a hub in the words of one of two tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from host.errors import ConfigurationError
from host.storage.aws.schema import FORMAT_VERSION, HubLayout, queue_definitions
from host.storage.aws.setup import cloudformation, terraform
from host.storage.aws.setup.partitions import public_sqs


class Format(StrEnum):
    """Whose words."""

    CLOUDFORMATION = "cloudformation"
    TERRAFORM = "terraform"


class Part(StrEnum):
    """How much of it."""

    ALL = "all"
    HUB = "hub"
    IMPORTS = "imports"


def layout_of(layout: HubLayout, format_version: int | None) -> HubLayout:
    """The layout of a hub that is there already and has this format, if it is said.

    Raises `ConfigurationError` for a format that is not known.
    """
    if format_version is None:
        return layout
    if format_version > FORMAT_VERSION:
        raise ConfigurationError(
            f"Format {format_version} is of a newer version of funchost; "
            f"this one knows {FORMAT_VERSION}."
        )
    return replace(layout, format_version=format_version)


def template_of(
    layout: HubLayout, format_: Format, part: Part, *, region: str | None, account: str | None
) -> Any:
    """What is printed, as data. Raises `ConfigurationError` if imports lack region or account."""
    match format_, part:
        case Format.CLOUDFORMATION, Part.ALL:
            return cloudformation.stack(layout)
        case Format.CLOUDFORMATION, Part.HUB:
            return cloudformation.importable_stack(layout)
        case Format.CLOUDFORMATION, _:
            return cloudformation.resources_to_import(layout, _queue_urls(layout, region, account))
        case Format.TERRAFORM, Part.IMPORTS:
            return terraform.import_blocks(layout, _queue_urls(layout, region, account))
    return terraform.module(layout)  # Terraform imports and creates in one step


def _queue_urls(layout: HubLayout, region: str | None, account: str | None) -> Mapping[str, str]:
    if region is None or account is None:
        raise ConfigurationError(
            "The URLs of queues hold region and account: give --region and --account."
        )
    server = f"{public_sqs(region)}/{account}"
    return {queue.name: f"{server}/{queue.name}" for queue in queue_definitions(layout)}
