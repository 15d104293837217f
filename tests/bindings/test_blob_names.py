"""Which names blobs can have, what patterns make of them, and that none leads out of its folder."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.blob_names import check_name, path_pattern
from bindings.errors import FunctionDefinitionError, InvalidArgumentError
from bindings.kinds.blobs import BlobRules
from host.clock import SystemClock
from host.errors import ResourceError
from host.resources.local_blobs import WRITING, LocalBlobs, LocalContainer

SIGNS = st.text(st.sampled_from('ab./\\ \0\n~é\u0301-%:*?"<>|\ud800'), max_size=12)
NAMES = st.one_of(SIGNS, st.text(max_size=12), st.just("x" * 256), st.just("é" * 600))


async def piece(content: bytes) -> AsyncIterator[bytes]:
    yield content


def container_in(folder: Path, name: str = "things") -> LocalContainer:
    return LocalBlobs(folder, SystemClock(), BlobRules()).container(name)


async def content_of(container: LocalContainer, name: str) -> bytes | None:
    blob = await container.open(name)
    if blob is None:
        return None
    try:
        return blob.read(1000)
    finally:
        blob.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.lists(NAMES, max_size=6))
def test_what_is_written_can_be_read_and_nothing_is_anywhere_else(names: list[str]) -> None:
    with TemporaryDirectory() as place:
        root = Path(place)
        outside = root / "outside"
        outside.write_bytes(b"untouched")
        folder = root / "blobs"
        asyncio.run(_written_and_read(container_in(folder), names))
        assert sorted(path.name for path in root.iterdir()) in (
            ["outside"],
            ["blobs", "outside"],
        )
        assert outside.read_bytes() == b"untouched"
        assert {path.name for path in folder.glob("*")} <= {"things"}


async def _written_and_read(container: LocalContainer, names: list[str]) -> None:
    written: dict[str, bytes] = {}
    for number, name in enumerate(names):
        content = f"{number}".encode()
        try:
            await container.write(name, piece(content))
        except InvalidArgumentError:
            assert await _cannot_be_read(container, name)
        else:
            written[name] = content
    for name, content in written.items():
        assert await content_of(container, name) == content
    seen = {each.name for each in container.look(lambda _: True)}
    hidden = {name for name in written if any(p.startswith(".") for p in name.split("/"))}
    assert seen == set(written) - hidden
    assert not list((container._folder / WRITING).glob("*"))  # noqa: SLF001 - nobody else sees it


def test_a_file_that_can_be_no_blob_is_passed_over_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    container = container_in(tmp_path)
    (tmp_path / "things" / "in").mkdir(parents=True)
    for name in ("fine", "back\\slash", "in/new\nline", "other"):
        (tmp_path / "things" / name).write_text("a")
    os.close(os.open(os.fsencode(tmp_path / "things" / "in") + b"/\xff", os.O_CREAT))

    for _ in range(2):
        seen = container.look(lambda name: name != "other")
        assert [each.name for each in seen] == ["fine"]

    lines = [each.getMessage() for each in caplog.records]
    assert sorted(line.partition("passed over: ")[2][:12] for line in lines) == [
        "'back\\\\slash",
        "'in/\\udcff' ",
        "'in/new\\nlin",
    ]
    assert not any("\n" in line or "\udcff" in line for line in lines)


async def _cannot_be_read(container: LocalContainer, name: str) -> bool:
    """A name that cannot be written is no blob's: it is refused, or there is none."""
    try:
        return await container.open(name) is None
    except InvalidArgumentError:
        return True


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        ".",
        "..",
        "a/..",
        "../a",
        "a/./b",
        "a\\b",
        "a\0",
        "a\x85",
        "\ud800",
    ],
)
def test_a_name_that_cannot_be_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be a blob's name: "):
        check_name(name)


async def test_names_that_a_folder_cannot_have_are_refused_with_a_reason(tmp_path: Path) -> None:
    container = container_in(tmp_path)
    await container.write("a/b", piece(b"x"))
    with pytest.raises(InvalidArgumentError, match="there are blobs within 'a/'"):
        await container.write("a", piece(b"y"))
    with pytest.raises(InvalidArgumentError, match="nothing is within a file"):
        await container.write("a/b/c", piece(b"y"))
    with pytest.raises(InvalidArgumentError, match="at most 255"):
        await container.write("x" * 256, piece(b"y"))
    with pytest.raises(InvalidArgumentError, match=re.escape(WRITING)):
        await container.open(f"{WRITING}/x")
    assert await content_of(container, "a/b") == b"x"
    assert await container.open("a") is None
    assert await container.open("a/b/c") is None


@pytest.mark.parametrize("name", ["way/secret", "secret", "way/new"])
async def test_a_link_in_a_container_is_not_followed(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    container = container_in(tmp_path / "blobs")
    await container.write("a", piece(b"x"))
    folder = tmp_path / "blobs" / "things"
    (folder / "way").symlink_to(outside)
    (folder / "secret").symlink_to(outside / "secret")
    assert await _cannot_be_read(container, name)
    assert [each.name for each in container.look(lambda _: True)] == ["a"]
    if name == "secret":  # the link is replaced, not what it leads to
        await container.write(name, piece(b"mine"))
    else:
        with pytest.raises(InvalidArgumentError):
            await container.write(name, piece(b"mine"))
    assert (outside / "secret").read_bytes() == b"secret"
    assert [path.name for path in outside.iterdir()] == ["secret"]


async def test_a_container_may_be_a_link_of_whoever_runs_the_host(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "things").symlink_to(tmp_path / "elsewhere")
    container = container_in(tmp_path / "blobs")
    await container.write("a/b", piece(b"x"))
    assert (tmp_path / "elsewhere" / "a" / "b").read_bytes() == b"x"


async def test_what_is_no_file_is_no_blob(tmp_path: Path) -> None:
    container = container_in(tmp_path)
    await container.write("a", piece(b"x"))
    os.mkfifo(tmp_path / "things" / "pipe")
    with pytest.raises(InvalidArgumentError, match="is no file"):
        await container.open("pipe")
    assert [each.name for each in container.look(lambda _: True)] == ["a"]


async def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "things").write_text("a file")
    container = container_in(tmp_path)
    for use in (container.write("a", piece(b"x")), container.open("a/b")):
        try:
            assert await use is None
        except ResourceError as error:
            assert "a part of the path is a file and not a folder" in str(error)
    with pytest.raises(ResourceError, match="cannot be looked through"):
        container.look(lambda _: True)


async def test_two_writes_in_one_tick_of_the_clock_are_two_versions(tmp_path: Path) -> None:
    container = container_in(tmp_path)
    etags = set()
    for _ in range(50):
        await container.write("a", piece(b"x"))
        etags |= {each.etag for each in container.look(lambda _: True)}
    assert len(etags) == 50


@pytest.mark.parametrize(
    ("path", "name", "captures"),
    [
        ("in-box/{name}", "a/b.csv", {"name": "a/b.csv"}),
        ("in-box/{name}.{ext}", "a.b.csv", {"name": "a.b", "ext": "csv"}),
        ("in-box/{name}.csv", "a.csv.csv", {"name": "a.csv"}),
        ("in-box/{name}.csv", "a.CSV", None),
        ("in-box/{a}-{b}-{c}", "1-2-3-4", {"a": "1-2", "b": "3", "c": "4"}),
        ("in-box/{a}xx{b}", "xxx", {"a": "x", "b": ""}),
        ("in-box/aa{a}aa", "aaa", None),
        ("in-box/day/{d}/x", "day/1/2/x", {"d": "1/2"}),
        ("in-box/{{{d}}}.txt", "{7}.txt", {"d": "7"}),
        ("in-box/one", "one", {}),
        ("in-box/one", "two", None),
        ("in-box", "a/b", {"name": "a/b"}),
        ("in-box/", "a", {"name": "a"}),
    ],
)
def test_what_a_pattern_makes_of_a_name(
    path: str, name: str, captures: dict[str, str] | None
) -> None:
    assert path_pattern(path).match(name) == captures


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    texts=st.lists(st.text("ab", min_size=1, max_size=2), min_size=2, max_size=4),
    ends=st.tuples(st.text("ab", max_size=2), st.text("ab", max_size=2)),
    name=st.text("ab", max_size=14),
)
def test_a_pattern_takes_a_name_apart_as_a_greedy_expression_does(
    texts: list[str], ends: tuple[str, str], name: str
) -> None:
    captures = [f"c{number}" for number in range(len(texts) + 1)]
    parts = [ends[0], *texts, ends[1]]
    path = parts[0] + "".join(f"{{{c}}}{text}" for c, text in zip(captures, parts[1:], strict=True))
    wanted = re.fullmatch(
        re.escape(parts[0])
        + "".join(f"(?P<{c}>.*){re.escape(t)}" for c, t in zip(captures, parts[1:], strict=True)),
        name,
        re.DOTALL,
    )
    found = path_pattern(f"in-box/{path}").match(name)
    assert found == (None if wanted is None else wanted.groupdict())


def test_a_pattern_with_many_captures_takes_no_time_for_a_hostile_name() -> None:
    pattern = path_pattern("in-box/" + "".join(f"{{c{n}}}-" for n in range(30)) + "x")
    assert pattern.match("-" * 1024) is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("IN/{name}", "cannot be a container"),
        ("{c}/{name}", "cannot be a container"),
        ("in-box/{a}{b}", "nothing between {a} and {b}"),
        ("in-box/{a}-{A}", "two captures of one name"),
        ("in-box/{a", "brace"),
        ("in-box/a}", "brace"),
        ("in-box/{a b}", "brace"),
        ("in-box/../x", "cannot be a blob's name"),
        ("", "cannot be a container"),
    ],
)
def test_a_path_that_is_no_pattern_is_refused(path: str, reason: str) -> None:
    with pytest.raises(FunctionDefinitionError, match=re.escape(reason)):
        path_pattern(path)
