"""The bookings of trips, one small JSON file each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One step of one trip; the two together name the file."""

    trip_id: str
    step: str
    destination: str


class TripLedger:
    """A folder of bookings. Writing the same state twice has the effect of once."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def write(self, booking: Booking, state: str) -> None:
        """Record the booking's state. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        entry = {**asdict(booking), "state": state}
        self._file(booking).write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")

    def _file(self, booking: Booking) -> Path:
        return self._folder / f"{booking.trip_id}-{booking.step}.json"
