"""Every night, remove what has ended a month ago or earlier."""

import logging
from datetime import timedelta

from funchost import DurableClient, OrchestrationQuery, RuntimeStatus, TimerRequest

ENDED = (RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.TERMINATED)


async def main(timer: TimerRequest, client: DurableClient) -> None:
    before = timer.due_at - timedelta(days=30)
    query = OrchestrationQuery(runtime_status=ENDED, created_time_to=before)
    count = await client.purge_instances(query)
    logging.info("%s instances from before %s are removed", count, before)
