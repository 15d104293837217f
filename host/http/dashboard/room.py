"""The dashboard's room: what its operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from host.http.access import Access
from host.http.dashboard.files import DashboardFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """The room. `version` is that of the host."""

    files: DashboardFiles
    access: Access
    hub_name: str
    version: str
