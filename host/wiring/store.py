"""Which store a host has, and where."""

from __future__ import annotations

from host.errors import ConfigurationError
from host.settings import HostSettings
from host.storage.kinds import StorePlace
from host.storage.opening import STORES
from host.wiring.data_folder import data_folder
from host.wiring.options import HostOptions

DEFAULT_STORAGE = "sqlite"


def storage_place(options: HostOptions, settings: HostSettings) -> StorePlace:
    """Where the hub is."""
    durable = settings.extensions.durable_task
    return StorePlace(
        hub=durable.hub_name, folder=data_folder(options), provider=durable.storage_provider
    )


def storage_kind(options: HostOptions, settings: HostSettings) -> str:
    """What the command line says, else the `type` of host.json's storageProvider, else sqlite.

    Raises `ConfigurationError` if there is no such kind.
    """
    configured = settings.extensions.durable_task.storage_provider.get("type")
    kind = options.storage or str(configured or DEFAULT_STORAGE).lower()
    if not STORES.knows(kind):
        raise ConfigurationError(
            f"host.json: extensions.durableTask.storageProvider.type: there is no '{configured}' "
            f"here; choose one of {', '.join(STORES.names())}, or give --storage."
        )
    return kind
