"""Keys from a chain: found once, refreshed beside the calls, looked for anew when refused."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from host.errors import StorageUnavailableError
from host.storage.aws.wire.credentials import (
    LOOK_AGAIN_S,
    REFRESH_AGAIN_S,
    ChainCredentials,
    KeySource,
)
from host.storage.aws.wire.signing import Keys
from tests.kit.scripted_transport import LeapingClock

HOUR_S = 3600
ADVISORY_S = 15 * 60
MANDATORY_S = 10 * 60


class Role:
    """A role whose keys last an hour, handed out by botocore's own refreshing credentials."""

    def __init__(self, clock: LeapingClock) -> None:
        self.clock = clock
        self.fetches = 0
        self.is_failing = False
        self.gate = threading.Event()
        self.gate.set()

    def find(self) -> KeySource:
        source: KeySource = RefreshableCredentials.create_from_metadata(
            self._fetch(), self._fetch, "a role"
        )
        source._time_fetcher = self._time  # type: ignore[attr-defined]  # botocore's seam
        return source

    def _time(self) -> datetime:
        return self.clock.now()

    def _fetch(self) -> dict[str, Any]:
        assert self.gate.wait(10)
        self.fetches += 1
        if self.is_failing:
            raise CredentialRetrievalError(provider="a role", error_msg="no answer")
        return {
            "access_key": f"AK{self.fetches}",
            "secret_key": "secret",
            "token": "token",
            "expiry_time": (self.clock.now() + timedelta(seconds=HOUR_S)).isoformat(),
        }


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def role(clock: LeapingClock) -> Role:
    return Role(clock)


@pytest.fixture
def credentials(role: Role, clock: LeapingClock) -> ChainCredentials:
    return ChainCredentials(role.find, clock)


async def refreshed(credentials: ChainCredentials, access_key: str) -> None:
    """Wait until the refresh beside the calls has come to its end."""
    while True:
        if (await credentials.keys()).access_key == access_key:
            return
        await asyncio.sleep(0)


async def test_lasting_keys_are_looked_for_once(clock: LeapingClock) -> None:
    searches: list[int] = []

    def find() -> KeySource:
        searches.append(1)
        source: KeySource = Credentials("AK", "secret")
        return source

    credentials = ChainCredentials(find, clock)
    assert await credentials.keys() == Keys("AK", "secret")
    clock.pass_time(1e6)
    assert await credentials.keys() == Keys("AK", "secret")
    assert len(searches) == 1


async def test_calls_that_begin_together_look_for_keys_together(
    role: Role, credentials: ChainCredentials
) -> None:
    found = await asyncio.gather(*(credentials.keys() for _ in range(10)))
    assert set(found) == {Keys("AK1", "secret", "token")}
    assert role.fetches == 1


async def test_a_call_that_is_cancelled_does_not_take_the_search_from_the_others(
    role: Role, credentials: ChainCredentials
) -> None:
    role.gate.clear()
    impatient, patient = (asyncio.create_task(credentials.keys()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    role.gate.set()
    assert (await patient).access_key == "AK1"
    assert impatient.cancelled()


async def test_keys_near_their_end_are_used_while_newer_ones_are_fetched(
    role: Role, credentials: ChainCredentials
) -> None:
    await credentials.keys()
    role.clock.pass_time(HOUR_S - ADVISORY_S + 1)
    role.gate.clear()
    assert (await credentials.keys()).access_key == "AK1"
    role.gate.set()
    await refreshed(credentials, "AK2")
    assert role.fetches == 2


async def test_keys_at_their_end_make_calls_wait_for_newer_ones(
    role: Role, credentials: ChainCredentials
) -> None:
    await credentials.keys()
    role.clock.pass_time(HOUR_S + 1)
    assert (await credentials.keys()).access_key == "AK2"


async def test_a_refresh_that_fails_is_tried_again_only_after_a_while(
    role: Role, credentials: ChainCredentials
) -> None:
    await credentials.keys()
    role.is_failing = True
    role.clock.pass_time(HOUR_S - MANDATORY_S - REFRESH_AGAIN_S - 1)
    await _fetches_grow_to(2, role, credentials)
    for _ in range(100):
        assert (await credentials.keys()).access_key == "AK1"
        await asyncio.sleep(0)
    assert role.fetches == 2
    role.is_failing = False
    role.clock.pass_time(REFRESH_AGAIN_S)
    await refreshed(credentials, "AK3")


async def _fetches_grow_to(count: int, role: Role, credentials: ChainCredentials) -> None:
    while role.fetches < count:
        await credentials.keys()
        await asyncio.sleep(0)


async def test_without_valid_keys_calls_fail_until_the_refresh_succeeds(
    role: Role, credentials: ChainCredentials
) -> None:
    await credentials.keys()
    role.clock.pass_time(HOUR_S + 1)
    role.is_failing = True
    with pytest.raises(StorageUnavailableError, match=r"could not be obtained.*no answer"):
        await credentials.keys()
    role.is_failing = False
    assert (await credentials.keys()).access_key == "AK3"


async def test_a_line_break_after_pasted_keys_does_not_matter(clock: LeapingClock) -> None:
    pasted = Credentials("AK\n", " secret\r\n", "token\n")
    assert await ChainCredentials(lambda: pasted, clock).keys() == Keys("AK", "secret", "token")


async def test_no_keys_at_all_say_what_to_set(clock: LeapingClock) -> None:
    with pytest.raises(StorageUnavailableError, match=r"AWS_ACCESS_KEY_ID.*AWS_PROFILE.*role"):
        await ChainCredentials(lambda: None, clock).keys()


async def test_refused_keys_are_looked_for_anew(role: Role, credentials: ChainCredentials) -> None:
    refused = await credentials.keys()
    role.clock.pass_time(LOOK_AGAIN_S)
    await credentials.renew(refused)
    assert (await credentials.keys()).access_key == "AK2"


async def test_keys_refused_twice_are_looked_for_once(
    role: Role, credentials: ChainCredentials
) -> None:
    refused = await credentials.keys()
    role.clock.pass_time(LOOK_AGAIN_S)
    await credentials.renew(refused)
    await credentials.keys()
    role.clock.pass_time(LOOK_AGAIN_S)
    await credentials.renew(refused)
    assert (await credentials.keys()).access_key == "AK2"


async def test_keys_refused_a_moment_after_the_search_are_not_looked_for_again(
    role: Role, credentials: ChainCredentials
) -> None:
    await credentials.renew(await credentials.keys())
    await credentials.keys()
    assert role.fetches == 1
