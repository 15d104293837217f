"""The limit of open files, in processes of their own: it belongs to the whole process."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from host.http.descriptors import raise_descriptor_limit, room_for_connections
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
raise_descriptor_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], room_for_connections(1000))
"""


def run(soft: int, hard: int) -> tuple[list[int], str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(each) for each in done.stdout.split()], done.stderr


def test_found_d10_the_limit_of_open_files_is_raised_to_what_is_allowed() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    assert run(256, hard) == ([allowed, 1000], "")
    assert run(256, 2000) == ([2000, 1000], "")


@pytest.mark.parametrize(("limit", "room"), [(1200, 1000), (1024, 824), (300, 150), (64, 32)])
def test_found_d10_there_are_no_more_connections_than_files(limit: int, room: int) -> None:
    numbers, said = run(limit, limit)
    assert numbers == [limit, room]
    assert ("connections are served" in said) == (room < 1000)
