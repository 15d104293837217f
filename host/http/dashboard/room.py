"""The dashboard's room: what its operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from host.engine.repeated import RepeatedLines
from host.http.access import Access
from host.http.auditing import Auditor
from host.http.dashboard.files import DashboardFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """The room. `version` is that of the host."""

    files: DashboardFiles
    access: Access
    auditor: Auditor
    sign_ins: RepeatedLines
    """Tells the log of who signs in, and who tries to."""
    hub_name: str
    version: str
