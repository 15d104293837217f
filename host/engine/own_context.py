"""Each call of an author's function has context variables of its own.

A task or a thread's call runs in a copy of the context it was made in. A copy is not enough for
`decimal`, which keeps an object there that it changes: a precision would be every later call's.
"""

from __future__ import annotations

from decimal import DefaultContext, setcontext


def begin_call() -> None:
    """Call this in the copied context, before the author's function."""
    setcontext(DefaultContext)  # which takes a copy of it
