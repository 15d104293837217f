"""`blob` in both styles, on folders and on two servers that stand in for S3.

What a function gets of a blob, what is written of a value, and what follows from what is wrong.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.kit.aws_servers import aws_environment, boto3_client
from tests.kit.binding_hosts import Style, Written, hosted, write_app

pytestmark = pytest.mark.parametrize("style", list(Style))

CODE = """
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from funchost import HttpRequest, InputStream, Out

@dataclass
class Point:
    x: int
    y: int = 0

"""


@dataclass
class Place:
    """Where the containers are, and how a test reaches them without the host."""

    app: Path
    container: str
    values: dict[str, str]
    client: Any = None

    def put(self, name: str, content: bytes) -> None:
        if self.client is not None:
            self.client.put_object(Bucket=self.container, Key=name, Body=content)
            return
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def get(self, name: str) -> bytes | None:
        if self.client is None:
            path = self._path(name)
            return path.read_bytes() if path.is_file() else None
        try:
            content: bytes = self.client.get_object(Bucket=self.container, Key=name)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        return content

    def names(self) -> list[str]:
        """What is in the container, hidden files too."""
        if self.client is None:
            folder = self._path("")
            return sorted(
                str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
            )
        listed = self.client.list_objects_v2(Bucket=self.container).get("Contents", [])
        return sorted(each["Key"] for each in listed)

    def unfinished(self) -> list[Any]:
        """Uploads in parts that nobody has ended."""
        found = self.client and self.client.list_multipart_uploads(Bucket=self.container)
        return (found or {}).get("Uploads", [])  # type: ignore[no-any-return]

    def blob(self, name: str, direction: str, path: str, **more: Any) -> dict[str, Any]:
        """The binding of a blob here."""
        connection = {} if self.client is None else {"connection": "STORE"}
        whole = f"{self.container}/{path}"
        return {
            "type": "blob",
            "name": name,
            "direction": direction,
            "path": whole,
            **connection,
            **more,
        }

    def _path(self, name: str) -> Path:
        return self.app / ".funchost" / "blobs" / self.container / name


@pytest.fixture(
    params=[
        "folder",
        pytest.param("moto", marks=[pytest.mark.aws, pytest.mark.moto]),
        pytest.param("ministack", marks=pytest.mark.aws),
    ]
)
def place(
    request: pytest.FixtureRequest, app_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    if request.param == "folder":
        return Place(app_folder, "things", {})
    url = request.getfixturevalue(f"{request.param}_url")
    for name, value in aws_environment(url).items():
        if name != "AWS_ENDPOINT_URL":  # the connection says it
            monkeypatch.setenv(name, value)
    client = boto3_client("s3", url)
    container = f"things-{uuid4().hex[:12]}"
    client.create_bucket(Bucket=container)
    return Place(app_folder, container, {"STORE": url}, client)


@asynccontextmanager
async def running(
    place: Place, style: Style, *functions: Written, extensions: dict[str, Any] | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    write_app(place.app, style, functions, values=place.values, extensions=extensions)
    async with hosted(place.app) as (_, session):
        yield session


def asked(name: str, code: str, *bindings: dict[str, Any]) -> Written:
    """A function that answers requests to `/NAME/{key}`."""
    http = [
        {"type": "httpTrigger", "name": "req", "direction": "in", "route": f"{name}/{{*key}}"},
        {"type": "http", "name": "$return", "direction": "out"},
    ]
    return Written(name, CODE + code, [*http, *bindings])


async def answer(session: aiohttp.ClientSession, path: str, **body: Any) -> tuple[int, str]:
    async with session.post(path, **body) as response:
        return response.status, await response.text()


READERS = {
    "stream": "def main(req: HttpRequest, it: InputStream) -> str:\n"
    "    assert it.length == 7 and it.name.endswith('/a.json') and '://' in it.uri\n"
    "    return (it.read(3) + b'|' + it.read()).decode()",
    "lines": "def main(req: HttpRequest, it):\n    return b'|'.join(it).decode()",
    "async stream": "async def main(req: HttpRequest, it: InputStream | None) -> str:\n"
    "    first = await it.aread(2)\n"
    "    return (first + b''.join([piece async for piece in it])).decode()",
    "bytes": "def main(req: HttpRequest, it: bytes) -> str:\n    return repr(it)",
    "text": "async def main(req: HttpRequest, it: str | None) -> str:\n    return it",
    "dict": "def main(req: HttpRequest, it: dict[str, int]) -> str:\n    return str(it['x'])",
    "dataclass": "async def main(req: HttpRequest, it: Point) -> str:\n    return str(it)",
    "default": "def main(req: HttpRequest, it: Point | str = 'none') -> str:\n    return str(it)",
}
READ = {
    "stream": '{"x|":1}',
    "lines": '{"x":1}',
    "async stream": '{"x":1}',
    "bytes": "b'{\"x\":1}'",
    "text": '{"x":1}',
    "dict": "1",
    "dataclass": "Point(x=1, y=0)",
    "default": "Point(x=1, y=0)",
}


async def test_a_parameter_gets_a_blob_as_its_annotation_says(place: Place, style: Style) -> None:
    place.put("a.json", b'{"x":1}')
    functions = [
        asked(f"f{number}", code, place.blob("it", "in", "{key}"))
        for number, code in enumerate(READERS.values())
    ]
    async with running(place, style, *functions) as session:
        for number, (kind, expected) in enumerate(READ.items()):
            assert await answer(session, f"/f{number}/a.json") == (200, expected), kind


async def test_a_blob_that_is_missing_is_none_where_that_may_be(place: Place, style: Style) -> None:
    place.put("there", b"1")
    none = asked(
        "none", "def main(req, it): return str(it)", place.blob("it", "in", "missing/{key}")
    )
    maybe = asked(
        "maybe",
        "def main(req, it: bytes | None): return str(it)",
        place.blob("it", "in", "{key}/deeper"),
    )
    default = asked(
        "default", "def main(req, it: str = 'nothing'): return it", place.blob("it", "in", "{key}")
    )
    needed = asked("needed", "def main(req, it: str): return it", place.blob("it", "in", "{key}"))
    async with running(place, style, none, maybe, default, needed) as session:
        assert await answer(session, "/none/there") == (200, "None")
        assert await answer(session, "/maybe/there") == (200, "None")
        assert await answer(session, "/default/x") == (200, "nothing")
        assert await answer(session, "/needed/there") == (200, "1")
        assert (await answer(session, "/needed/x"))[0] == 404


UNFIT = [
    ("str", b"\xff\xfe", "is no text in UTF-8"),
    ("Point", b'{"x":"one"}', "valid integer"),
    ("dict", b"no json", "Invalid JSON"),
    ("bytes", b"x" * 101, "the limit is 100 bytes"),
]


async def test_a_blob_that_does_not_fit_fails_the_call_before_the_function_runs(
    place: Place, style: Style, caplog: pytest.LogCaptureFixture
) -> None:
    functions = []
    for number, (annotation, content, _) in enumerate(UNFIT):
        place.put(f"{number}a", content)
        code = f"def main(req, it: {annotation}): raise SystemExit('it runs')"
        binding = place.blob("it", "in", f"{number}{{key}}")
        functions.append(asked(f"f{number}", code, binding))
    limits = {"blobs": {"maxValueBytes": 100}}
    async with running(place, style, *functions, extensions=limits) as session:
        for number, (_, _, reason) in enumerate(UNFIT):
            caplog.clear()
            assert (await answer(session, f"/f{number}/a"))[0] == 500
            assert reason in caplog.text
            assert "it runs" not in caplog.text


WRITERS = {
    "text": ("str", "'grün'", "grün".encode()),
    "bytes": ("bytes", "b'\\x00\\xff'", b"\x00\xff"),
    "empty": ("bytes", "b''", b""),
    "json": ("Any", "[Point(1), None]", b'[{"x":1,"y":0},null]'),
    "number": ("int", "7", b"7"),
    "iterator": ("Iterator[str]", "(str(number) for number in range(5))", b"01234"),
    "stream": ("Any", "__import__('io').BytesIO(b'a' * 300_000)", b"a" * 300_000),
    "text file": ("Any", "__import__('io').StringIO('é')", "é".encode()),
}


async def test_what_an_output_is_set_to_is_written(place: Place, style: Style) -> None:
    functions = []
    for number, (annotation, value, _) in enumerate(WRITERS.values()):
        code = f"def main(req: HttpRequest, it: Out[{annotation}]) -> str:\n    it.set({value})\n"
        binding = place.blob("it", "out", f"sub/{number}{{key}}")
        functions.append(asked(f"f{number}", code + "    return 'set'", binding))
        place.put(f"sub/{number}a", b"something that is longer than what comes")
    async with running(place, style, *functions) as session:
        for number, (kind, (_, _, content)) in enumerate(WRITERS.items()):
            assert await answer(session, f"/f{number}/a") == (200, "set"), kind
            assert place.get(f"sub/{number}a") == content, kind
    assert place.names() == sorted(f"sub/{number}a" for number in range(len(WRITERS)))


ASYNC = """
async def main(req: HttpRequest, it: Out[AsyncIterator[bytes]]) -> str:
    async def pieces():
        for number in range(req.json()["pieces"]):
            yield bytes([number]) * 3_000_000
        if req.json()["fails"]:
            raise OSError("the source has dried up")
    it.set(pieces())
    return "set"
"""


@pytest.mark.parametrize("pieces", [1, 4])
async def test_a_blob_is_written_as_a_whole_or_not_at_all(
    place: Place, style: Style, pieces: int, caplog: pytest.LogCaptureFixture
) -> None:
    place.put("a", b"before")
    function = asked("write", ASYNC, place.blob("it", "out", "{key}"))
    async with running(place, style, function) as session:
        failing = {"pieces": pieces, "fails": True}
        assert (await answer(session, "/write/a", json=failing))[0] == 500
        assert "the source has dried up" in caplog.text
        assert (place.get("a"), place.names(), place.unfinished()) == (b"before", ["a"], [])
        assert (await answer(session, "/write/a", json=failing | {"fails": False}))[0] == 200
    expected = b"".join(bytes([number]) * 3_000_000 for number in range(pieces))
    assert place.get("a") == expected
    assert place.unfinished() == []


async def test_an_output_beyond_its_limit_is_not_written(
    place: Place, style: Style, caplog: pytest.LogCaptureFixture
) -> None:
    whole = asked(
        "whole",
        "def main(req, it: Out[str]) -> str:\n    it.set('x' * 101)\n    return 'set'",
        place.blob("it", "out", "{key}"),
    )
    pieces = asked(
        "pieces",
        "def main(req, it: Out[Any]) -> str:\n    it.set('x' for _ in range(1001))\n    return ''",
        place.blob("it", "out", "{key}"),
    )
    limits = {"blobs": {"maxValueBytes": 100, "maxBlobBytes": 1000}}
    async with running(place, style, whole, pieces, extensions=limits) as session:
        assert (await answer(session, "/whole/a"))[0] == 500
        assert (await answer(session, "/pieces/a"))[0] == 500
    assert "the limit is 100 bytes" in caplog.text
    assert "the limit is 1,000 bytes" in caplog.text
    assert place.names() == []


async def test_nothing_is_written_of_none_and_of_a_function_that_fails(
    place: Place, style: Style
) -> None:
    binding = place.blob("it", "out", "{key}")
    silent = asked("silent", "def main(req, it: Out[str]) -> str: return 'none'", binding)
    code = "def main(req, it: Out[str]):\n    it.set('x')\n    raise OSError('no')"
    failing = asked("failing", code, binding)
    async with running(place, style, silent, failing) as session:
        assert await answer(session, "/silent/a") == (200, "none")
        assert (await answer(session, "/failing/a"))[0] == 500
    assert place.names() == []


async def test_what_is_both_is_read_before_and_written_if_it_is_set(
    place: Place, style: Style
) -> None:
    code = """
def main(req: HttpRequest, it: Out[dict[str, int] | None]) -> str:
    before = it.get()
    if req.get_body():
        it.set({"count": (before or {"count": 0})["count"] + 1})
    return str(before)
"""
    function = asked("count", code, place.blob("it", "inout", "{key}"))
    async with running(place, style, function) as session:
        assert await answer(session, "/count/a") == (200, "None")
        assert place.names() == []
        assert await answer(session, "/count/a", data=b"1") == (200, "None")
        assert await answer(session, "/count/a", data=b"1") == (200, "{'count': 1}")
    assert json.loads(place.get("a") or b"") == {"count": 2}


async def test_an_input_can_be_an_output_without_being_in_memory(
    place: Place, style: Style
) -> None:
    place.put("a", b"abc" * 100_000)
    function = asked(
        "copy",
        "async def main(req, it: InputStream, to: Out[Any]):\n    to.set(it)\n    return 'set'",
        place.blob("it", "in", "{key}"),
        place.blob("to", "out", "{key}-copy"),
    )
    async with running(place, style, function) as session:
        assert (await answer(session, "/copy/a"))[0] == 200
    assert place.get("a-copy") == b"abc" * 100_000


ELSEWHERE = ["../out", "a/../b", "./a", "a//b", "\\x", "a\0", "/etc/passwd", "a\nb", "", "a" * 1025]


async def test_a_name_that_leads_elsewhere_is_a_bad_request(place: Place, style: Style) -> None:
    read = asked("read", "def main(req, it): return 'read'", place.blob("it", "in", "{k}"))
    write = asked(
        "write",
        "def main(req, it: Out[str]):\n    it.set('x')\n    return 'set'",
        place.blob("it", "out", "{k}"),
    )
    async with running(place, style, read, write) as session:
        for name in ("read", "write"):
            for key in ELSEWHERE:
                status, text = await answer(session, f"/{name}/x", params={"k": key})
                assert status == 400, (key, text)
                assert "cannot be a blob's name" in text
    assert place.names() == []
    assert not list(place.app.parent.rglob("out"))


async def test_a_folder_that_is_missing_is_empty_and_a_bucket_is_an_error(
    place: Place, style: Style, caplog: pytest.LogCaptureFixture
) -> None:
    binding = place.blob("it", "in", "{key}") | {"path": "no-such-bucket-here/{key}"}
    code = "async def main(req, it): return str(it)"
    async with running(place, style, asked("read", code, binding)) as session:
        found = await answer(session, "/read/a")
    if place.client is None:
        assert found == (200, "None")
    else:
        assert found[0] == 500
        assert "There is no bucket 'no-such-bucket-here' on S3: create it" in caplog.text


async def test_readers_and_writers_at_once_see_whole_blobs(place: Place, style: Style) -> None:
    read = asked("read", "def main(req, it: str): return it", place.blob("it", "in", "{key}"))
    write = asked(
        "write",
        "def main(req, it: Out[Any]):\n"
        "    it.set(req.get_body() for _ in range(50))\n    return 'set'",
        place.blob("it", "out", "{key}"),
    )
    place.put("a", b"0" * 50)
    async with running(place, style, read, write) as session:
        jobs: list[Any] = []
        for digit in b"123456789":
            jobs += [answer(session, "/write/a", data=bytes([digit])), answer(session, "/read/a")]
        answers = await asyncio.gather(*jobs)
    assert all(status == 200 for status, _ in answers)
    assert all(len(set(text)) == 1 and len(text) == 50 for _, text in answers[1::2])
