"""What bad disks and careless hands do to files, by dice with a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Damage: TypeAlias = Callable[[Path, random.Random], str]
"""Changes one file; says what it did."""

SECTOR = 512


def flip_bits(file: Path, dice: random.Random) -> str:
    """One to four bits, anywhere."""
    data = bytearray(file.read_bytes())
    places = [dice.randrange(len(data) * 8) for _ in range(dice.choice([1, 1, 2, 4]))]
    for place in places:
        data[place // 8] ^= 1 << place % 8
    file.write_bytes(data)
    return f"flipped bits {places} of {file.name}"


def cut_off(file: Path, dice: random.Random) -> str:
    """The end is missing: at any byte, but not all of the file."""
    size = dice.randrange(1, file.stat().st_size)
    with file.open("r+b") as opened:
        opened.truncate(size)
    return f"cut {file.name} off at {size}"


def blank_sectors(file: Path, dice: random.Random) -> str:
    """Some sectors read as zeros."""
    data = bytearray(file.read_bytes())
    at = dice.randrange(len(data) // SECTOR) * SECTOR
    count = dice.choice([1, 2, 8])
    blank = min(count * SECTOR, len(data) - at)
    data[at : at + blank] = bytes(blank)
    file.write_bytes(data)
    return f"blanked {blank} bytes of {file.name} at {at}"


def swap_pages(file: Path, dice: random.Random) -> str:
    """Two blocks were written to each other's places."""
    data = bytearray(file.read_bytes())
    block = 4096
    one, other = (dice.randrange(len(data) // block) * block for _ in range(2))
    data[one : one + block], data[other : other + block] = (
        data[other : other + block],
        data[one : one + block],
    )
    file.write_bytes(data)
    return f"swapped the blocks of {file.name} at {one} and {other}"


DAMAGES: tuple[Damage, ...] = (flip_bits, flip_bits, cut_off, blank_sectors, swap_pages)
