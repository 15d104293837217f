"""The end of the process: what others left to be done then, and nothing that could hang.

An interpreter that ends by itself waits for all threads, also for one in which an author's function
never returns. So the process is ended; but first the exit hooks run that libraries and the app
registered, and files that were written to are flushed, as a usual end would do both.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import threading
from contextlib import suppress
from typing import NoReturn

PATIENCE_S = 3.0
"""How long exit hooks may take, all together."""


_WRITTEN_TO = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def leave_in_order(code: int) -> NoReturn:
    """End the process after its exit hooks, or after `PATIENCE_S`. Call it on the main thread."""
    limit = threading.Timer(PATIENCE_S, os._exit, (code,))
    limit.daemon = True
    limit.start()
    with suppress(BaseException):  # a hook's failure is told by itself, and ends nothing
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run them and go on
    _flush_files()
    os._exit(code)


def _flush_files() -> None:
    """Write out what buffered files hold that nobody closed."""
    for each in gc.get_objects():
        if issubclass(type(each), _WRITTEN_TO):  # `isinstance` may run code of an author's object
            with suppress(Exception):  # it is closed, or its disk is full
                each.flush()
