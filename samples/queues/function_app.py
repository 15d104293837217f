"""Queues: a request puts parcels into a queue, and each message starts an orchestration."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from funchost import (
    BatchFailure,
    DurableClient,
    FunctionApp,
    HttpRequest,
    OrchestrationContext,
    Out,
    QueueMessage,
    ReusePolicy,
)

app = FunctionApp()


@dataclass
class Parcel:
    """What is to be sent."""

    id: str
    customer: str
    grams: int


@app.route("parcels", methods=["POST"], auth_level="anonymous")
@app.queue_output("messages", queue_name="parcels")
def take_parcels(req: HttpRequest, messages: Out[list[Parcel]]) -> str:
    """Take a list of parcels: each is a message of its own."""
    parcels = [Parcel(**each) for each in req.get_json()]
    messages.set(parcels)
    return f"{len(parcels)} parcels are in the queue."


@app.queue_trigger("parcel", queue_name="parcels")
@app.durable_client_input("client")
async def pack_parcel(parcel: Parcel, client: DurableClient) -> None:
    """Start the parcel's orchestration, under its id: a message that comes twice starts one.

    What fails is tried again after two seconds, and ends in the queue `parcels-poison`.
    """
    if parcel.grams <= 0:
        raise ValueError(f"The parcel {parcel.id} weighs {parcel.grams} g")
    await client.schedule_new_orchestration(
        send_parcel, input=parcel, instance_id=f"parcel-{parcel.id}", reuse=ReusePolicy.KEEP
    )


@app.orchestration_trigger()
async def send_parcel(context: OrchestrationContext, parcel: Parcel) -> str:
    return await context.call_activity(tell_customer, parcel)


@app.activity_trigger("parcel")
@app.queue_output("$return", queue_name="letters.fifo", message_group_id="{customer}")
def tell_customer(parcel: Parcel) -> str:
    """Send a letter. If the activity runs again after a crash, the letter is sent once."""
    return f"Dear {parcel.customer}, your parcel {parcel.id} is on its way."


@app.queue_trigger("letters", queue_name="letters.fifo", cardinality="many")
def print_letters(letters: list[QueueMessage]) -> BatchFailure | None:
    """Print letters in batches, those to one customer in order. Only those that fail come back."""
    unprintable = [each for each in letters if not each.get_text().isprintable()]
    for letter in letters:
        if letter not in unprintable:
            logging.info("Printed for %s: %s", letter.group_id, letter.get_text())
    return BatchFailure(unprintable) if unprintable else None
