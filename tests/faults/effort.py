"""How much a test does: enough for every day, or for hours with FUNCHOST_TORTURE=1.

Seeds are the numbers from zero, so what failed once fails again; FUNCHOST_SEED begins elsewhere.
"""

from __future__ import annotations

import os

IS_TORTURE = os.environ.get("FUNCHOST_TORTURE", "") not in {"", "0"}
FIRST_SEED = int(os.environ.get("FUNCHOST_SEED", "0"))


def effort(short: int, long: int) -> int:
    """How often to do something."""
    return long if IS_TORTURE else short


def seeds(short: int, long: int) -> range:
    """What to seed the dice with, one round each."""
    return range(FIRST_SEED, FIRST_SEED + effort(short, long))
