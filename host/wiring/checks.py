"""What is wrong with settings before anything is opened."""

from __future__ import annotations

from host.http.keys import shared_keys
from host.settings import HostSettings
from host.storage.opening import STORES
from host.wiring.options import HostOptions
from host.wiring.part_options import engine_options
from host.wiring.store import storage_kind


def check_settings(options: HostOptions, settings: HostSettings) -> None:
    """Raise `ConfigurationError` for settings that each by itself may be, and no host starts with.

    Nothing is opened but files of keys that they name.
    """
    kind = STORES.find(storage_kind(options, settings))
    engine_options(kind, options, settings)
    shared_keys(settings.values)
