"""Keys, link tokens and what counts as loopback."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from host.errors import ConfigurationError
from host.http.access_log import redact
from host.http.keys import WEBHOOK_KEY_NAME, KeyKind, open_keys
from host.http.link_tokens import LIFETIME, LinkTokens
from host.http.loopback import is_loopback_host, is_loopback_origin, is_valid_host

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_the_first_opening_makes_three_keys_and_shows_them_once(tmp_path: Path) -> None:
    path = tmp_path / ".funchost" / "keys.json"
    _, new = open_keys(path)
    assert [(key.kind, key.name) for key in new] == [
        (KeyKind.MASTER, "_master"),
        (KeyKind.SYSTEM, WEBHOOK_KEY_NAME),
        (KeyKind.FUNCTION, "default"),
    ]
    ring, again = open_keys(path)
    assert again == ()
    found = [ring.find(key.value) for key in new]
    assert [(key.kind, key.name) for key in found if key] == [(key.kind, key.name) for key in new]


def test_the_file_is_private_and_holds_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    _, new = open_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key for key in new if key.value in path.read_text()] == []


@pytest.mark.parametrize("presented", ["", "x", "é", "\udcff"])
def test_an_unknown_key_is_not_found(tmp_path: Path, presented: str) -> None:
    ring, _ = open_keys(tmp_path / "keys.json")
    assert ring.find(presented) is None


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    open_keys(path)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        open_keys(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b'{"format":1,"keys":[],"signing_secret":"!"}']
)
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="delete the file"):
        open_keys(path)


def test_a_key_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"format":2,"keys":[],"signing_secret":""}')
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="newer version"):
        open_keys(path)


def test_a_token_opens_its_instance_until_it_expires() -> None:
    tokens = LinkTokens(b"secret", "Hub")
    token = tokens.issue("instance 1", NOW)
    assert tokens.opens(token, "instance 1", NOW)
    assert tokens.opens(token, "instance 1", NOW + LIFETIME - timedelta(seconds=1))
    assert not tokens.opens(token, "instance 1", NOW + LIFETIME)


def test_a_token_opens_nothing_else() -> None:
    token = LinkTokens(b"secret", "Hub").issue("i", NOW)
    assert not LinkTokens(b"secret", "Hub").opens(token, "other", NOW)
    assert not LinkTokens(b"secret", "OtherHub").opens(token, "i", NOW)
    assert not LinkTokens(b"other secret", "Hub").opens(token, "i", NOW)


def test_a_token_that_was_changed_opens_nothing() -> None:
    tokens = LinkTokens(b"secret", "Hub")
    kind, expiry, signature = tokens.issue("i", NOW).split(".")
    later = f"{int(expiry, 16) + 1:x}"
    for token in (f"{kind}.{later}.{signature}", f"{kind}.{expiry}.{signature[:-1]}", "", "é"):
        assert not tokens.opens(token, "i", NOW)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:7071", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:7071"]
)
def test_loopback_hosts_are_recognised(host: str) -> None:
    assert is_loopback_host(host)
    assert is_loopback_origin(f"http://{host}")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
        "localhost:port",
        "user@localhost",
    ],
)
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback_host(host)
    assert not is_loopback_origin(f"http://{host}")


@pytest.mark.parametrize("origin", ["null", "", "file://localhost", "http://[", "localhost"])
def test_an_origin_that_is_no_page_of_this_machine_is_not_loopback(origin: str) -> None:
    assert not is_loopback_origin(origin)


def test_a_host_header_is_a_name_or_an_address() -> None:
    assert is_valid_host("example.com:443")
    assert not is_valid_host("a b")
    assert not is_valid_host("[x]")


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/a?code=secret&b=1", "/a?code=...&b=1"),
        ("/a?b=1&CODE=secret", "/a?b=1&CODE=..."),
        ("/a?c%6Fde=secret", "/a?c%6Fde=..."),
        ("/a?encoded=1", "/a?encoded=1"),
        ("/a", "/a"),
    ],
)
def test_codes_are_left_out_of_the_access_log(target: str, shown: str) -> None:
    assert redact(target) == shown
