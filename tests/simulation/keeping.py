"""A hub that keeps little: what failed or was terminated is deleted soon. Not every world is one.

Rules of this file: whether a world is one is drawn from a stream of its own. Nobody rewinds there:
a parent would wait for a child that is gone. What completed stays, for its result is checked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

from bindings.client import RuntimeStatus
from host.engine.options import EngineOptions

SHARE = 0.15
KEPT = timedelta(seconds=20)
DELETED = (RuntimeStatus.FAILED, RuntimeStatus.TERMINATED)


def keeps_little(seed: int) -> bool:
    """Whether a world is one."""
    return Random(f"{seed}/retention").random() < SHARE


def keeping(options: EngineOptions, seed: int) -> EngineOptions:
    """A host of the world: it deletes what is old, if it is to."""
    if not keeps_little(seed):
        return options
    kept: dict[RuntimeStatus, timedelta | None] = dict.fromkeys(DELETED, KEPT)
    return replace(options, retention=kept | {RuntimeStatus.COMPLETED: None})
