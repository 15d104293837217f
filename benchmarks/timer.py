"""How late is a timer function on an idle host?

Two timers of each second on SQLite, for 30 seconds: the time of the call less the due time. One
JSON line with the median, the worst, and the host's CPU time for each run.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from host.app import running_host
from host.wiring.options import HostOptions, read_settings

LASTS_S = 30
TIMERS = 2
APP = f"""
from datetime import UTC, datetime
from funchost import FunctionApp

app = FunctionApp()
late = []

for number in range({TIMERS}):

    @app.function_name(f"tick{{number}}")
    @app.timer_trigger(arg_name="timer", schedule="* * * * * *")
    async def ticks(timer):
        late.append((datetime.now(UTC) - timer.due_at).total_seconds())
"""


async def _run(folder: Path) -> dict[str, object]:
    options = HostOptions(app_dir=folder, port=0)
    async with running_host(options, read_settings(options)) as host:
        await asyncio.sleep(2)
        late: list[float] = host.app.functions[0].declaration.function.__globals__["late"]
        late.clear()
        cpu = time.process_time()
        await asyncio.sleep(LASTS_S)
        cpu = time.process_time() - cpu
        measured = sorted(late)
    return {
        "benchmark": "timer",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": len(measured),
        "median_ms": round(statistics.median(measured) * 1000, 1),
        "worst_ms": round(measured[-1] * 1000, 1),
        "cpu_ms_per_run": round(cpu / len(measured) * 1000, 2),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "function_app.py").write_text(APP)
        os.environ.setdefault("WEBSITE_HOSTNAME", "")
        print(json.dumps(asyncio.run(_run(folder))))


if __name__ == "__main__":
    main()
