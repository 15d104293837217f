"""Which hub on AWS a command means, and how it says what is wrong with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from pydantic import JsonValue

from host.cli.given import GivenPath
from host.cli.hub_name import check_hub_name
from host.errors import ConfigurationError, StorageError
from host.wiring.options import HostOptions, read_settings

if TYPE_CHECKING:  # at run time only when it is needed
    from host.settings.connections import AwsOptions
    from host.settings.model import HostSettings
    from host.storage.aws.schema import HubLayout
    from host.storage.aws.setup.provision import Provisioner

EXIT_CONFIGURATION = 2

Command = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenHub:
    """A hub as the command line and host.json describe it."""

    provider: Mapping[str, JsonValue]
    layout: HubLayout
    options: AwsOptions

    def provisioner(self) -> Provisioner:
        """What makes and deletes it. Raises `ConfigurationError`, `StorageUnavailableError`."""
        from host.storage.aws.setup.provision import Provisioner  # noqa: PLC0415 - only if asked for

        return Provisioner(self.layout, self.options)


def hub_options(command: Command) -> Command:
    """The options that say which hub, and where."""
    return _with_options(
        command,
        click.option(
            "--storage",
            type=click.Choice(["aws"]),
            default="aws",
            show_default=True,
            help="Where the hub lives. The others need no setup.",
        ),
        click.option(
            "--hub", callback=check_hub_name, help="Name of the hub.  [default: host.json's]"
        ),
        *_PLACE_OPTIONS,
    )


def place_options(command: Command) -> Command:
    """The options that say only where."""
    return _with_options(command, *_PLACE_OPTIONS)


_PLACE_OPTIONS = (
    click.option("--region", help="AWS region.  [default: host.json's, else AWS's own]"),
    click.option(
        "--app",
        type=GivenPath(exists=True, file_okay=False, path_type=Path),
        default=Path(),
        help="Folder of the host.json to read.  [default: this one]",
    ),
)


def _with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def read_place(*, region: str | None, app: Path) -> GivenHub:
    """What host.json and the options say of a hub whose name does not matter.

    Raises `ConfigurationError`.
    """
    return _read(_settings(app, None), region)


def read_hub(*, region: str | None, app: Path, storage: str, hub: str | None) -> GivenHub:
    """The hub that host.json and the options describe. Raises `ConfigurationError`."""
    settings = _settings(app, hub, storage)
    durable_task = settings.extensions.durable_task
    if hub is None and "hub_name" not in durable_task.model_fields_set:
        click.echo(
            f"No host.json in {app.resolve()} names a hub, so this is {durable_task.hub_name}."
            " --hub names another, --app the folder of another host.json.",
            err=True,
        )
    return _read(settings, region)


def _settings(app: Path, hub: str | None, storage: str = "aws") -> HostSettings:
    return read_settings(HostOptions(app_dir=app.resolve(), hub=hub, storage=storage))


def _read(settings: HostSettings, region: str | None) -> GivenHub:
    from host.storage.aws.setup.settings import read_aws_settings  # noqa: PLC0415 - only if asked for

    os.environ.update(settings.exports)
    durable_task = settings.extensions.durable_task
    given = {"region": region} if region else {}
    provider = {**durable_task.storage_provider, **given}
    aws = read_aws_settings(provider)
    return GivenHub(
        provider=provider, layout=aws.layout(durable_task.hub_name), options=aws.options()
    )


@contextmanager
def problems_told() -> Iterator[None]:
    """Tell what is wrong, a line each, and end with code 2."""
    try:
        yield
    except (ConfigurationError, StorageError) as error:
        _fail(str(error), error)
    except ModuleNotFoundError as error:
        if error.name not in {"boto3", "botocore"}:
            raise
        install = f"{sys.executable} -m pip install 'funchost[aws]'"
        _fail(f"The AWS driver is not installed: {install}", error)


def _fail(problems: str, error: Exception) -> NoReturn:
    for problem in problems.splitlines():
        click.secho(problem, fg="red", err=True)
    raise SystemExit(EXIT_CONFIGURATION) from error
