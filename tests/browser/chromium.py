"""The Chromium that the tests drive: an installed one, else Playwright's own.

`python -m tests.browser.chromium` says which one there is. As root on a Debian it installs one if
there is none; else it says how to get one, and fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = (
    "The tests of the dashboard need a Chromium, and there is none. On Debian or Ubuntu run "
    "`apt-get install chromium` as root; elsewhere `.venv/bin/playwright install chromium`."
)


def find_chromium() -> str | None:
    """The path of an executable; None if there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or _of_playwright()


def _of_playwright() -> str | None:
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Install Debian's, if we may."""
    if os.geteuid() == 0 and (apt := shutil.which("apt-get")):
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run([apt, *command], check=False, stdout=subprocess.DEVNULL)


def main() -> None:
    """Find one, or install one."""
    found = find_chromium()
    if found is None:
        install()
        found = find_chromium()
    if found is None:
        sys.exit(ADVICE)
    sys.stdout.write(f"Chromium: {found}\n")


if __name__ == "__main__":
    main()
