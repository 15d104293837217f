"""Keys, link tokens and what counts as loopback."""

from __future__ import annotations

import json
import os
import resource
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from traceback import format_exception

import pytest

from host.errors import ConfigurationError
from host.http.access_log import redact
from host.http.kept_keys import KeptKeys
from host.http.key_ring import Key, KeyRing
from host.http.keys import (
    WEBHOOK_KEY_NAME,
    KeyFile,
    KeyKind,
    KeyRole,
    NewKey,
    digest,
    open_keys,
    shared_keys,
)
from host.http.link_tokens import LIFETIME, LinkTokens, Pass, Use
from host.http.loopback import is_loopback_host, is_valid_host
from host.user_files import MAX_FILE_BYTES

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def keys_file(
    *,
    secret: str = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=",
    sha256: str = "0" * 64,
    kind: str = "master",
    count: int = 1,
    **more: str,
) -> str:
    """The content of a file of keys."""
    key = {"kind": kind, "name": "_master", "sha256": sha256, **more}
    return json.dumps({"format": 1, "keys": [key] * count, "signing_secret": secret})


def find(file: KeyFile, value: str) -> Key | None:
    """The key of a file that has this value, in a hub that has no keys of its own."""
    return KeyRing(file, KeptKeys()).find(value, NOW)


def test_the_first_opening_makes_three_keys_and_shows_them_once(tmp_path: Path) -> None:
    path = tmp_path / ".funchost" / "keys.json"
    _, new = open_keys(path)
    assert [(key.kind, key.name) for key in new] == [
        (KeyKind.MASTER, "_master"),
        (KeyKind.SYSTEM, WEBHOOK_KEY_NAME),
        (KeyKind.FUNCTION, "default"),
    ]
    file, again = open_keys(path)
    assert again == ()
    found = [find(file, key.value) for key in new]
    assert [(key.kind, key.name) for key in found if key] == [(key.kind, key.name) for key in new]


def test_of_hosts_that_make_the_file_at_once_one_makes_it_and_all_take_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    together = Barrier(8)

    def start(_: int) -> tuple[KeyFile, tuple[NewKey, ...]]:
        together.wait()
        return open_keys(path)

    with ThreadPoolExecutor(8) as hosts:
        opened = list(hosts.map(start, range(8)))
    (shown,) = [new for _, new in opened if new]
    assert all(find(file, key.value) for file, _ in opened for key in shown)
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_private_and_holds_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    _, new = open_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key for key in new if key.value in path.read_text()] == []


@pytest.mark.parametrize("presented", ["", "x", "é", "\udcff"])
def test_an_unknown_key_is_not_found(tmp_path: Path, presented: str) -> None:
    file, _ = open_keys(tmp_path / "keys.json")
    assert find(file, presented) is None


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


def made(folder: Path) -> tuple[str, tuple[NewKey, ...]]:
    """The content of a file with new keys, and the keys."""
    path = folder / "made.json"
    _, new = open_keys(path)
    return path.read_text(), new


def test_hosts_with_the_same_setting_take_the_same_keys_and_sign_alike(tmp_path: Path) -> None:
    content, new = made(tmp_path)
    one, other = (shared_keys({"FUNCHOST_KEYS": content}) for _ in range(2))
    assert one is not None
    assert other is not None
    for file in (one, other):
        found = [find(file, key.value) for key in new]
        assert [key.name for key in found if key] == [key.name for key in new]
    assert one.secret == other.secret


def test_a_system_key_of_the_file_has_the_role_that_is_written_there() -> None:
    sha256 = digest("probe")
    file = shared_keys({"FUNCHOST_KEYS": keys_file(kind="system", sha256=sha256, role="read")})
    assert file is not None
    found = find(file, "probe")
    assert found is not None
    assert found.role is KeyRole.READ


def test_new_keys_work_beside_the_old_ones_until_those_are_taken_out(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    (old_content, old), (new_content, new) = made(tmp_path), made(tmp_path / "later")
    file, later = json.loads(old_content), json.loads(new_content)
    both = shared_keys(
        {"FUNCHOST_KEYS": json.dumps({**file, "keys": file["keys"] + later["keys"]})}
    )
    only_new = shared_keys({"FUNCHOST_KEYS": json.dumps({**file, "keys": later["keys"]})})
    assert both is not None
    assert only_new is not None
    assert all(find(both, key.value) for key in (*old, *new))
    assert [find(only_new, key.value) for key in old] == [None] * 3
    assert both.secret == only_new.secret


def test_a_mounted_secret_is_read_whoever_else_may_read_it(tmp_path: Path) -> None:
    content, new = made(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text(content)
    secret.chmod(0o444)
    file = shared_keys({"FUNCHOST_KEYS_FILE": str(secret)})
    assert file is not None
    assert find(file, new[0].value) is not None


def test_without_a_setting_no_keys_are_shared() -> None:
    assert shared_keys({"OTHER": "x"}) is None


def test_keys_are_given_once(tmp_path: Path) -> None:
    content, _ = made(tmp_path)
    with pytest.raises(ConfigurationError, match="FUNCHOST_KEYS or FUNCHOST_KEYS_FILE, not both"):
        shared_keys({"FUNCHOST_KEYS": content, "FUNCHOST_KEYS_FILE": "x"})


def test_a_file_of_keys_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.json"
    with pytest.raises(ConfigurationError, match=r"nowhere.json.* cannot be read: No such file"):
        shared_keys({"FUNCHOST_KEYS_FILE": str(path)})
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "truncated"),
        ("my-s3cret-key", "malformed"),
        ('{"keys": "my-s3cret-key"}', "Expected `array`, got `str`"),
        ('{"format": 1}', "missing required field `keys`"),
        (keys_file(kind="my-s3cret-key"), r"Invalid enum value '...' - at `\$.keys\[0\].kind`"),
        (keys_file(secret="my-s3cret-key"), "base64"),
        (keys_file(secret="c2hvcnQ="), "signing_secret has fewer than 16 bytes"),
        (keys_file(secret=""), "signing_secret has fewer than 16 bytes"),
        (keys_file(sha256="my-s3cret-key"), r"keys\[0\].sha256 is not 64 hexadecimal digits"),
        (keys_file(count=0), "there is no key"),
        (keys_file(kind="system", role="my-s3cret-key"), "Invalid enum value '...'"),
        (keys_file(kind="function", role="admin"), "only system keys have one"),
        (keys_file(kind="master", role="read"), "only system keys have one"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_not_shown(content: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        shared_keys({"FUNCHOST_KEYS": content})
    assert "the setting FUNCHOST_KEYS" in str(caught.value)
    assert "s3cret" not in "".join(format_exception(caught.value))


def test_a_token_opens_its_instance_until_it_expires() -> None:
    tokens = LinkTokens(b"secret", "Hub")
    token = tokens.issue("instance 1", Use.READ, NOW)
    found = tokens.read(token, "instance 1", NOW + LIFETIME - timedelta(seconds=1))
    assert found == Pass(use=Use.READ, made_at=NOW, expires_at=NOW + LIFETIME)
    assert tokens.read(token, "instance 1", NOW + LIFETIME) is None


def test_a_token_opens_nothing_else() -> None:
    token = LinkTokens(b"secret", "Hub").issue("i", Use.READ, NOW)
    assert LinkTokens(b"secret", "HUB").read(token, "i", NOW) is not None
    assert LinkTokens(b"secret", "Hub").read(token, "other", NOW) is None
    assert LinkTokens(b"secret", "OtherHub").read(token, "i", NOW) is None
    assert LinkTokens(b"other secret", "Hub").read(token, "i", NOW) is None


def test_a_token_that_was_changed_opens_nothing() -> None:
    tokens = LinkTokens(b"secret", "Hub")
    token = tokens.issue("i", Use.READ, NOW)
    kind, use, made, expiry, signature = token.split(".")
    later = f"{int(expiry, 16) + 1:x}"
    for parts in (
        (kind, "manage", made, expiry, signature),
        (kind, use, later, expiry, signature),
        (kind, use, made, later, signature),
        (kind, use, made, expiry, signature[:-1]),
        (kind, use, made, f"0{expiry}", signature),
        ("link1", expiry, signature),
        ("",),
        ("é",),
    ):
        assert tokens.read(".".join(parts), "i", NOW) is None


def test_found_d8_a_token_is_of_the_run_that_was_there_when_it_was_made() -> None:
    link = Pass(use=Use.MANAGE, made_at=NOW, expires_at=NOW + LIFETIME)
    tick = timedelta(microseconds=1)
    assert link.opens(Use.MANAGE, NOW)
    assert link.opens(Use.MANAGE, NOW - LIFETIME)
    assert not link.opens(Use.MANAGE, NOW + tick)
    assert not link.opens(Use.READ, NOW)
    assert not link.opens(Use.RAISE, NOW)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:7071", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:7071"]
)
def test_loopback_hosts_are_recognised(host: str) -> None:
    assert is_loopback_host(host)


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


def test_found_g12_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(ConfigurationError, match="disk is full for this process"):
            open_keys(tmp_path / "keys.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_found_g12_a_folder_that_cannot_be_written_is_told_with_the_cause(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="a file and not a folder"):
        open_keys(tmp_path / "file" / "keys.json")
    with pytest.raises(ConfigurationError, match="too long"):
        open_keys(tmp_path / ("x" * 300))


def test_found_g13_what_is_no_file_of_keys_is_refused_before_it_is_read(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    for path, why in ((pipe, "a pipe or a device"), (Path("/dev/zero"), "a pipe"), (large, "more")):
        with pytest.raises(ConfigurationError, match=f"cannot be read: .*{why}"):
            shared_keys({"FUNCHOST_KEYS_FILE": str(path)})
