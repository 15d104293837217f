"""Says where the import of an app is while it takes long: else a start looks as if it hung."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from host.logs import HostLog

_logger = HostLog(__name__)

REPORT_EVERY_S = 5.0


@contextmanager
def slowness_told(app_dir: Path, every_s: float = REPORT_EVERY_S) -> Iterator[None]:
    """Log the place in the app's code at which the calling thread is, every few seconds."""
    done, watched = threading.Event(), threading.get_ident()

    def tell() -> None:
        seconds = 0.0
        while not done.wait(every_s):
            seconds += every_s
            frame = sys._current_frames().get(watched)  # noqa: SLF001 - the documented way
            place = _place_in(app_dir, frame)
            _logger.warning("Still loading the app after %.0f s: it is at %s", seconds, place)

    teller = threading.Thread(target=tell, name="funchost-loading", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _place_in(app_dir: Path, frame: FrameType | None) -> str:
    """The innermost line of the app's own code, or else of any."""
    stack = traceback.extract_stack(frame) if frame is not None else traceback.StackSummary()
    own = [line for line in stack if Path(line.filename).is_relative_to(app_dir)]
    if not stack:
        return "its end"
    line = (own or stack)[-1]
    return f"{line.filename}:{line.lineno} `{line.line}`"
