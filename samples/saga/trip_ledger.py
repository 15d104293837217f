"""The bookings of trips, one small JSON file each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from confined_paths import writable


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One step of one trip; the two together name the file."""

    trip_id: str
    step: str
    destination: str


class TripLedger:
    """A folder of bookings. Writing the same state twice has the effect of once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def write(self, booking: Booking, state: str) -> None:
        """Record the booking's state. Raises OSError."""
        entry = {**asdict(booking), "state": state}
        file = self._file(booking)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")

    def _file(self, booking: Booking) -> Path:
        return writable(f"{self._folder}/{booking.trip_id}-{booking.step}.json")
