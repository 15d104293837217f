"""Record the golden histories that are missing: python -m tests.golden.record [SCENE ...]

What exists is never recorded again: it is there to show that what was once stored is still
understood. A new format of stored items, or a new feature, gets new scenes.
"""

from __future__ import annotations

import sys

from tests.golden.recording import FOLDER, record, write
from tests.golden.scenes import SCENES


def main(names: list[str]) -> int:
    """Record these scenes, or all that have no file yet."""
    scenes = {scene.name: scene for scene in SCENES}
    wanted = names or [name for name in scenes if not (FOLDER / f"{name}.json").exists()]
    FOLDER.mkdir(exist_ok=True)
    for name in wanted:
        try:
            write(FOLDER / f"{name}.json", record(scenes[name]))
        except FileExistsError:
            print(f"{name}: exists, and is kept for ever. Give a new scene a new name.")  # noqa: T201
            return 1
        except KeyError:
            print(f"{name}: there is no such scene.")  # noqa: T201
            return 1
        print(f"{name}: recorded.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
