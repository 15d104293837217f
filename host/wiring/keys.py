"""Whether requests need keys, and which."""

from __future__ import annotations

from host.clock import Clock
from host.http.access import Lock
from host.http.browser_sessions import BrowserSessions
from host.http.hub_keys import HubKeys
from host.http.keys import KeyFile, NewKey, open_keys, shared_keys
from host.http.link_tokens import LinkTokens
from host.http.loopback import is_loopback_name
from host.settings import HostSettings
from host.storage.protocol import HubStore
from host.wiring.data_folder import KEY_FILE, data_folder, keep_out_of_git
from host.wiring.options import HostOptions, address_of


def needs_keys(options: HostOptions, settings: HostSettings) -> bool:
    """Whether requests need keys: where not only this machine can send any, or keys are given.

    Raises `ConfigurationError` for keys that cannot be read.
    """
    return _is_reachable(options, settings) or shared_keys(settings.values) is not None


def opened_keys(
    options: HostOptions, settings: HostSettings
) -> tuple[KeyFile | None, tuple[NewKey, ...]]:
    """The keys that requests need, or None if they need none; those that were made just now.

    A proxy on this machine lets everybody reach a loopback address, so keys that are given hold
    there, too. Raises `ConfigurationError` for keys that cannot be read.
    """
    shared = shared_keys(settings.values)
    if shared is not None:
        return shared, ()
    if not _is_reachable(options, settings):
        return None, ()
    keep_out_of_git(options)
    return open_keys(data_folder(options) / KEY_FILE)


def lock_of(file: KeyFile, hub_name: str, store: HubStore, clock: Clock) -> Lock:
    """What these keys open, with those that the hub keeps."""
    return Lock(
        keys=HubKeys(file, store, clock),
        tokens=LinkTokens(file.secret, hub_name),
        sessions=BrowserSessions(file.secret, hub_name),
    )


def _is_reachable(options: HostOptions, settings: HostSettings) -> bool:
    """Whether requests may come from beyond this machine."""
    return options.requires_keys or not is_loopback_name(address_of(options, settings))
