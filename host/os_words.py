"""What the operating system says, in words for an operator: its errors, and names of files.

Rules of this file: knows nothing of the host, so that every layer may use it.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from pathlib import Path

_ERRNO = re.compile(r"\[Errno (\d+)\]")
_WORDS = {
    errno.ENOSPC: "the disk is full; make room and try again",
    errno.EDQUOT: "this user's disk quota is used up; make room or raise it",
    errno.EFBIG: "the disk is full for this process: raise its limit of file sizes (ulimit -f)",
    errno.EROFS: "the file system is read-only; mount it so that it can be written",
    errno.EACCES: "this user may not do that; check the permissions of the file and its folders",
    errno.EPERM: "this user may not do that; check the permissions of the file and its folders",
    errno.ENAMETOOLONG: "the path is too long; choose a shorter one",
    errno.ENOTDIR: "a part of the path is a file and not a folder",
    errno.EISDIR: "it is a folder and not a file",
    errno.ELOOP: "its symbolic links lead in a circle",
    errno.EMFILE: "this process has too many open files; raise the limit (ulimit -n)",
    errno.ENFILE: "the machine has too many open files; raise its limit (fs.file-max)",
    errno.ENOMEM: "the machine has no memory left",
    errno.EIO: "the disk reported an error; look at the machine's log",
    errno.ENOLCK: "its file system has no locks, as some network drives; choose a local disk",
    errno.EOPNOTSUPP: "its file system cannot do this; choose a local disk",
    errno.ESTALE: "the network drive has lost it; mount it anew",
}


def error_in_words(error: OSError) -> str:
    """The cause and what to do about it, with the system's own words behind."""
    if isinstance(error, ssl.SSLError):
        return _tls_in_words(error)
    said = error.strerror or str(error)
    # A look-up of a name has numbers of its own: one of them may be that of a full disk.
    words = None if isinstance(error, socket.gaierror) else _WORDS.get(error.errno or 0)
    return f"{words} ({said})" if words else said


def _tls_in_words(error: ssl.SSLError) -> str:
    """The same for TLS, whose numbers are OpenSSL's: 1 is none of permissions."""
    said = str(error.strerror or error)  # of one that Python raised itself, all that there is
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {getattr(error, 'verify_message', said)}".rstrip(
            "."
        )
    return f"TLS failed: {getattr(error, 'reason', None) or said}".replace("_", " ")


def no_connection_in_words(error: Exception) -> str:
    """Why there is no connection, without the address, which libraries put into their texts.

    Of several addresses that were tried, the first one counts.
    """
    if isinstance(error, ssl.SSLError | socket.gaierror):
        return error_in_words(error)
    found = _ERRNO.search(str(error)) if isinstance(error, OSError) else None
    if found is None:
        return type(error).__name__
    said = os.strerror(int(found[1]))
    return said[:1].lower() + said[1:]


def path_in_words(path: Path) -> str:
    """The path as text that can be printed anywhere, also if its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make the folder if it is missing. Raises an `OSError` that says what is in its way."""
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except FileExistsError as error:
        folder.stat()  # says if it is a link that leads nowhere
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
