"""An app's configuration: host.json, local.settings.json and the environment, checked at once."""

from host.settings.loading import load_settings
from host.settings.model import HostSettings

__all__ = ["HostSettings", "load_settings"]
