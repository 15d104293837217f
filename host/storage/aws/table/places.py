"""Where the messages lie that were read here, so that whoever consumes them can delete them.

Rules of this file: pure. Of each instance only what the last read found is kept. A message may lie
in several places if it was sent more than once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from host.storage.aws.table.bodies import Chunks, chunks_of
from host.storage.aws.table.keys import Item, message_id_of, sort_key_of

MAX_PLACES = 50_000
"""Of so many messages it is known; where others lie must be looked up again."""


class Place(NamedTuple):
    """The sort key of a message, and where its chunks are if it is long."""

    sort_key: str
    chunks: Chunks | None


Places = dict[str, list[Place]]
"""By message id."""


def places_of(items: Iterable[Item]) -> Places:
    """Where the messages of these items lie."""
    found: Places = {}
    for item in items:
        place = Place(sort_key_of(item), chunks_of(item))
        found.setdefault(message_id_of(sort_key_of(item)), []).append(place)
    return found


class KnownPlaces:
    """The places of the instances whose mail was read last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Places] = OrderedDict()
        self._count = 0

    def note(self, instance_id: str, places: Places) -> None:
        """These are all messages of an instance."""
        self._forget(instance_id)
        if places:
            self._known[instance_id] = places
            self._count += len(places)
        while self._count > MAX_PLACES and len(self._known) > 1:
            self._forget(next(iter(self._known)))

    def take(self, instance_id: str, message_ids: Iterable[str]) -> Sequence[Place] | None:
        """Where these messages lie, which are to be deleted; None if nothing is known."""
        places = self._known.get(instance_id)
        if places is None:
            return None
        taken = [places.pop(each, []) for each in dict.fromkeys(message_ids)]
        self._count -= sum(map(bool, taken))
        return [place for found in taken for place in found]

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
        self._count = 0

    def _forget(self, instance_id: str) -> None:
        self._count -= len(self._known.pop(instance_id, ()))
