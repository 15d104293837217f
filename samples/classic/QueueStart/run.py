"""Start an orchestration for each message, under its id: a message that comes twice starts one."""

from funchost import DurableClient, ReusePolicy


async def main(greeting: dict[str, str], client: DurableClient) -> None:
    await client.schedule_new_orchestration(
        "E2_Greeting",
        input=greeting,
        instance_id=f"greeting-{greeting['id']}",
        reuse=ReusePolicy.KEEP,
    )
