"""What the operating system says, in words."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from host.os_words import error_in_words


def test_a_known_cause_has_what_to_do_about_it_and_the_systems_words() -> None:
    said = os.strerror(errno.ENOSPC)
    words = error_in_words(OSError(errno.ENOSPC, said))
    assert words == f"the disk is full; make room and try again ({said})"


@pytest.mark.parametrize("number", [errno.EPERM, errno.EIO, errno.ENOSPC])
def test_numbers_that_are_not_the_systems_are_not_read_as_such(number: int) -> None:
    assert error_in_words(socket.gaierror(number, "Name not known")) == "Name not known"
    assert error_in_words(ssl.SSLError(number, "wrong version")) == "TLS failed: wrong version"
    words = error_in_words(ssl.SSLCertVerificationError(number, "another host"))
    assert words == "the certificate is not trusted: another host"
