"""Python's own debugger behind `breakpoint()`, without its hand on Ctrl-C.

After a `c` it would take Ctrl-C for a wish to look again, each time, and the host could not be
stopped from its terminal.
"""

from __future__ import annotations

import os
import sys
from pdb import Pdb


def leave_ctrl_c_to_the_host() -> None:
    """Have `breakpoint()` stop in such a debugger, unless another one is wanted."""
    if "PYTHONBREAKPOINT" not in os.environ and sys.breakpointhook is sys.__breakpointhook__:
        sys.breakpointhook = _stop_here


def _stop_here(*, header: str | None = None) -> None:
    debugger = Pdb(nosigint=True)
    if header is not None:
        debugger.message(header)
    debugger.set_trace(sys._getframe().f_back)  # noqa: SLF001 - the documented way
