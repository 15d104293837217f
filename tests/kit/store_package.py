"""A package of somebody else that adds kinds of stores: installed as pip would, into a folder."""

from __future__ import annotations

from pathlib import Path

from tests.kit.other_package import install_package

CODE = '''
"""A shelf keeps instances in memory, and writes the name of each into a file, its label."""

from pathlib import Path

from host.errors import ConfigurationError
from host.storage.kinds import EngineDefaults, StoreKind
from host.storage.local_queues import with_local_queues
from host.storage.memory import MemoryStore


class ShelfStore(MemoryStore):
    def __init__(self, now, label):
        super().__init__(now)
        self._label = label

    async def create(self, instance, reuse, **named):
        with self._label.open("a") as label:
            label.write(f"{instance.name}\\n")
        return await super().create(instance, reuse, **named)


def opened(place, clock):
    label = place.provider.get("label", f"{place.hub}.txt")
    if not label:
        raise ConfigurationError("A shelf needs a 'label'.")
    return with_local_queues(ShelfStore(clock.now, place.folder / label))


SHELF = StoreKind(
    name="shelf",
    opened=opened,
    engine_defaults=lambda provider: EngineDefaults(sweep_s=60.0),
    keeps_files=True,
)
'''
ENTRY_POINTS = """
[funchost.stores]
shelf = shelf_store:SHELF
rack = shelf_store:SHELF
cupboard = no_such_module:CUPBOARD
trunk = no_such_module:TRUNK [oak]
memory = shelf_store:SHELF
"""


def install(folder: Path) -> Path:
    """Install it, version 1.0, into this folder; gives the folder."""
    return install_package(folder, "shelf_store", CODE, ENTRY_POINTS)
