"""The machine's randomness, replaced for one run: ids that are drawn are drawn by the seed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def drawn_by(seed: int) -> Iterator[None]:
    """`uuid4`, `secrets` and all else that asks the machine for random bytes."""
    source = random.Random(f"{seed}/entropy")
    real_os, real_random = os.urandom, random._urandom  # type: ignore[attr-defined]
    os.urandom = random._urandom = source.randbytes  # type: ignore[attr-defined]
    try:
        yield
    finally:
        os.urandom, random._urandom = real_os, real_random  # type: ignore[attr-defined]
