"""`RemoteClient` needs nothing of the host, and who does not use it does not load what it needs."""

from __future__ import annotations

import subprocess
import sys

NOT_NEEDED = ("host", "click", "msgspec", "multipart", "uvloop", "rich", "httptools", "boto3")
ALONE = f"""
import sys
for name in {NOT_NEEDED!r}:
    sys.modules[name] = None  # an import of it fails
from funchost import InvalidArgumentError, RemoteClient, SyncRemoteClient
assert "aiohttp" not in sys.modules
with SyncRemoteClient("http://localhost:1", retries=0) as client:
    try:
        client.get_instance("one")
    except Exception as error:
        print(type(error).__name__)
"""


def test_the_client_runs_without_what_only_the_host_needs() -> None:
    shown = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE], capture_output=True, text=True, check=False
    )
    assert (shown.stdout, shown.stderr) == ("HostUnavailableError\n", "")
