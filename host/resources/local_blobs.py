"""Containers that are folders of this machine: `.funchost/blobs/CONTAINER/…`.

A blob is a file whose path within its container is its name. Whoever drops files there by hand
makes blobs. No link within a container is followed, so none leads out. What is written has another
name until it is whole, and is on the disk when the write returns.

Rules of this file: whatever touches the disk is for threads.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from bindings.blob_names import check_container, check_name
from bindings.errors import InvalidArgumentError
from bindings.kinds.blobs import BlobFacts, BlobRules, SeenBlob
from host.clock import Clock
from host.errors import ResourceError
from host.logs import HostLog
from host.os_words import error_in_words, make_folder, path_in_words
from host.whole_calls import in_thread

MAX_PART_BYTES: Final = 255
"""File systems have no longer names."""
WRITING: Final = ".funchost-writing"
"""The folder in a container for what is not whole yet. No blob's name begins with it."""
LEFT_AFTER: Final = timedelta(days=1)
"""What was not written to its end for so long was left by a crash."""

_MOST_TOLD: Final = 100
"""Of so many files it is said that they are no blobs: who drops thousands has seen it by then."""

_log = HostLog(__name__)
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


class LocalBlobs:
    """The containers below one folder."""

    def __init__(self, folder: Path, clock: Clock, rules: BlobRules) -> None:
        self._folder = folder
        self._clock = clock
        self._rules = rules
        self._containers: dict[str, LocalContainer] = {}

    def container(self, name: str) -> LocalContainer:
        """The container of this name. Raises `InvalidArgumentError` if there can be none."""
        check_container(name)
        found = self._containers.get(name)
        if found is None:
            found = LocalContainer(name, self._folder / name, self._clock, self._rules)
            self._containers[name] = found
        return found


class LocalContainer:
    """One folder. A `BlobContainer`, and the `BlobFolder` of itself."""

    def __init__(self, name: str, folder: Path, clock: Clock, rules: BlobRules) -> None:
        self.name = name
        self.rules = rules
        self._folder = folder
        self._clock = clock
        self._followers: list[Callable[[SeenBlob], None]] = []
        self._last_ns = 0
        self._is_tidy = False
        self._told: set[str] = set()
        """The files that were called no blobs."""

    @property
    def folder(self) -> LocalContainer:
        """Whoever wants to know of new blobs looks through the folder."""
        return self

    async def open(self, name: str) -> LocalBlob | None:
        """The blob, to be read; None if there is none."""
        check_local(name)
        return await asyncio.to_thread(self._open, name)

    async def write(self, name: str, parts: AsyncIterator[bytes]) -> None:
        """Write the blob as a whole."""
        check_local(name)
        draft = await asyncio.to_thread(self._begin)
        try:
            async for part in parts:
                await in_thread(draft.write, part)
            seen = await in_thread(self._publish, draft, name)
        except BaseException:
            await in_thread(draft.discard)
            raise
        for written in list(self._followers):
            written(seen)

    def follow(self, written: Callable[[SeenBlob], None]) -> Callable[[], None]:
        """Be told of each blob that this host writes; gives what ends it."""
        self._followers.append(written)
        return lambda: self._followers.remove(written)

    def look(self, fits: Callable[[str], bool]) -> Sequence[SeenBlob]:
        """The blobs whose names fit. Makes the folder, so that its user sees where it is.

        Names with a part that begins with a dot are left out: so editors and copying programs call
        what is not whole yet. So are links, and what is no file.
        """
        with self._in_words("looked through"):
            make_folder(self._folder, 0o700)
            return list(self._seen(fits))

    # ---- reading -------------------------------------------------------------------------------

    def _open(self, name: str) -> LocalBlob | None:
        *folders, file = name.split("/")
        with self._in_words(f"read for '{name}'"), ExitStack() as held:
            try:
                place = _entered(self._folder, folders, held, make=False)
                number = os.open(file, _FILE_FLAGS, dir_fd=place)
            except OSError as error:
                if error.errno in _MISSING:
                    return None
                raise _named(error, name) from error
            held.callback(os.close, number)
            found = os.fstat(number)
            if stat.S_ISDIR(found.st_mode):
                return None
            if not stat.S_ISREG(found.st_mode):
                raise InvalidArgumentError(f"'{self.name}/{name}' is no file.")
            return LocalBlob(os.dup(number), self._facts(name, found))

    def _facts(self, name: str, found: os.stat_result) -> BlobFacts:
        return BlobFacts(
            name=name,
            length=found.st_size,
            uri=f"file://{quote(os.fspath(self._folder / name))}",
            etag=_etag(found),
            last_modified=datetime.fromtimestamp(found.st_mtime, UTC),
        )

    # ---- writing -------------------------------------------------------------------------------

    def _begin(self) -> _Draft:
        with self._in_words("written"):
            make_folder(self._folder, 0o700)
            writing = self._folder / WRITING
            writing.mkdir(mode=0o700, exist_ok=True)
            if writing.is_symlink():
                raise InvalidArgumentError(f"{path_in_words(writing)} is a link: remove it.")
            self._tidy(writing)
            return _Draft(writing / uuid4().hex)

    def _tidy(self, writing: Path) -> None:
        """Remove what crashes left, once."""
        if self._is_tidy:
            return
        self._is_tidy = True
        oldest = (self._clock.now() - LEFT_AFTER).timestamp()
        for path in writing.iterdir():
            with suppress(OSError):
                if path.lstat().st_mtime < oldest:
                    path.unlink()

    def _publish(self, draft: _Draft, name: str) -> SeenBlob:
        """Give what is written its name, and have both on the disk."""
        *folders, file = name.split("/")
        with self._in_words(f"written for '{name}'"), ExitStack() as held:
            found = draft.finish(self._next_ns())
            try:
                place = _entered(self._folder, folders, held, make=True)
                os.rename(draft.path, file, dst_dir_fd=place)
            except OSError as error:
                raise _named(error, name) from error
            os.fsync(place)
        return SeenBlob(name=name, etag=_etag(found), changed_ns=found.st_mtime_ns)

    def _next_ns(self) -> int:
        """The time of a write: no two have the same, or the second would look like the first."""
        now = self._clock.now() - datetime(1970, 1, 1, tzinfo=UTC)
        self._last_ns = max(now // timedelta(microseconds=1) * 1000, self._last_ns + 1)
        return self._last_ns

    # ---- looking -------------------------------------------------------------------------------

    def _seen(self, fits: Callable[[str], bool]) -> Iterator[SeenBlob]:
        waiting = [(os.fspath(self._folder), "")]
        while waiting:
            folder, prefix = waiting.pop()
            try:
                entries = os.scandir(folder)
            except OSError as error:
                if prefix and error.errno in _MISSING:
                    continue  # it has gone since
                raise
            with entries:
                for entry in entries:
                    name = prefix + entry.name
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, f"{name}/"))
                    elif not (entry.is_file(follow_symlinks=False) and fits(name)):
                        continue
                    elif (fault := _fault_of(name)) is not None:
                        self._tell_once(name, fault)
                    else:
                        yield from _seen_file(entry, name)

    def _tell_once(self, name: str, fault: InvalidArgumentError) -> None:
        """Say that a file is no blob, so that nobody waits for its function to run."""
        if name not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(name)
            _log.warning("A file in the container '%s' is passed over: %s", self.name, fault)

    @contextmanager
    def _in_words(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ResourceError(
                f"The container '{self.name}' ({path_in_words(self._folder)}) cannot be {what}: "
                f"{error_in_words(error)}."
            ) from error


class LocalBlob:
    """A file that is open. An `OpenBlob`."""

    def __init__(self, number: int, facts: BlobFacts) -> None:
        self._file = os.fdopen(number, "rb", buffering=0)
        self.facts = facts

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        try:
            return self._file.read(size)
        except OSError as error:
            raise ResourceError(
                f"'{self.facts.name}' cannot be read: {error_in_words(error)}."
            ) from (error)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class _Draft:
    """A file that has not got its name yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)

    def write(self, part: bytes) -> None:
        view = memoryview(part)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise ResourceError(f"A blob cannot be written: {error_in_words(error)}.") from error

    def finish(self, changed_ns: int) -> os.stat_result:
        """All that was written is on the disk, and was changed at this time."""
        number = self._file.fileno()
        os.utime(number, ns=(changed_ns, changed_ns))
        os.fsync(number)
        found = os.fstat(number)
        self._file.close()
        return found

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


def check_local(name: str) -> None:
    """Raise `InvalidArgumentError` for what can be no blob's name here."""
    check_name(name)
    parts = name.split("/")
    if parts[0] == WRITING:
        raise InvalidArgumentError(f"No blob's name begins with '{WRITING}'.")
    long = next((part for part in parts if len(part.encode()) > MAX_PART_BYTES), None)
    if long is not None:
        raise InvalidArgumentError(
            f"'{long[:60]}…' is a part of a blob's name with {len(long.encode())} bytes: between "
            f"slashes there are at most {MAX_PART_BYTES} where containers are folders."
        )


def _fault_of(name: str) -> InvalidArgumentError | None:
    """Why this can be no blob's name; None if it can."""
    try:
        check_name(name)
    except InvalidArgumentError as error:
        return error
    return None


def _seen_file(entry: os.DirEntry[str], name: str) -> Iterator[SeenBlob]:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return  # it has gone since
    yield SeenBlob(name=name, etag=_etag(found), changed_ns=found.st_mtime_ns)


def _etag(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"


def _entered(root: Path, folders: list[str], held: ExitStack, *, make: bool) -> int:
    """A descriptor of the folder, each step of the way opened without following a link."""
    place = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    held.callback(os.close, place)
    for folder in folders:
        if make:
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700, dir_fd=place)
                os.fsync(place)
        place = os.open(folder, _FOLDER_FLAGS, dir_fd=place)
        held.callback(os.close, place)
    return place


def _named(error: OSError, name: str) -> Exception:
    """What a refusal of the file system means for a blob of this name."""
    match error.errno:
        case errno.ELOOP | errno.EMLINK:
            return InvalidArgumentError(
                f"'{name}' is a link, or leads over one: links in containers are not followed."
            )
        case errno.ENOTDIR:
            return InvalidArgumentError(
                f"There can be no blob '{name}': a part of its name is that of a blob or a link, "
                "and where containers are folders nothing is within a file."
            )
        case errno.EISDIR | errno.ENOTEMPTY | errno.EEXIST:
            return InvalidArgumentError(
                f"There can be no blob '{name}': there are blobs within '{name}/', and where "
                "containers are folders a name cannot be both."
            )
    return error
