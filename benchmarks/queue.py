"""How many messages a second does a queue function get on one host?

The messages are in the hub's file before the host starts: then it runs a function that does nothing
for each of them. One JSON line: the rate from the first run to the last, the host's CPU time for
each message, and how many were run twice (none).
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bindings.kinds.queues import OutgoingMessage
from host.app import running_host
from host.clock import SystemClock
from host.resources.embedded.queues import EmbeddedQueues, QueueLimits
from host.storage.kinds import StorePlace
from host.storage.opening import STORES
from host.wiring.options import HostOptions, read_settings

MESSAGES = 20_000
TOGETHER = 500
APP = f"""
import asyncio
import time
from funchost import FunctionApp, QueueMessage

app = FunctionApp()
times = []
seen = set()
done = asyncio.Event()

@app.queue_trigger("message", "orders")
async def handle(message: QueueMessage):
    times.append(time.monotonic())
    seen.add(message.id)
    if len(seen) == {MESSAGES}:
        done.set()
"""


async def _fill(folder: Path) -> float:
    place = StorePlace(hub="TestHubName", folder=folder / ".funchost")
    place.folder.mkdir()
    sqlite = STORES.find("sqlite")
    async with sqlite.opened(place, SystemClock()) as (store, _):
        messages = sqlite.home(store, {}).messages
        assert messages is not None
        queues = EmbeddedQueues(messages, SystemClock(), QueueLimits())
        queue = queues.queue("orders")
        began = time.monotonic()
        for start in range(0, MESSAGES, TOGETHER):
            await queue.send(
                [OutgoingMessage(body=f'{{"order": {start + each}}}') for each in range(TOGETHER)]
            )
        return MESSAGES / (time.monotonic() - began)


async def _run(folder: Path) -> dict[str, object]:
    sent = await _fill(folder)
    options = HostOptions(app_dir=folder, port=0)
    cpu = time.process_time()
    async with running_host(options, read_settings(options)) as host:
        names = host.app.functions[0].declaration.function.__globals__
        times: list[float] = names["times"]
        await names["done"].wait()
        cpu = time.process_time() - cpu
    return {
        "benchmark": "queue",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "messages": MESSAGES,
        "sent_per_s": round(sent),
        "run_per_s": round(MESSAGES / (times[-1] - times[0])),
        "cpu_us_per_message": round(cpu / MESSAGES * 1_000_000),
        "run_twice": len(times) - MESSAGES,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "function_app.py").write_text(APP)
        os.environ.setdefault("WEBSITE_HOSTNAME", "")
        print(json.dumps(asyncio.run(_run(folder))))


if __name__ == "__main__":
    main()
