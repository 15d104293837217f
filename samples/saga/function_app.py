"""Saga: book a trip step by step; when a step fails, undo the steps before it, the last one first.

Each booking is a file in a ledger folder. Booking and cancelling can be done twice with the effect
of once, which is what makes a step safe to repeat after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    TaskFailedError,
)

from confined_paths import check_paths
from trip_ledger import Booking, TripLedger

app = FunctionApp()

STEPS = ("flight", "hotel", "payment")
CREDIT_LIMIT = 1000.0


@dataclass(frozen=True, kw_only=True)
class Trip:
    """Where to go and what it costs; a price above the credit limit makes the payment fail."""

    destination: str
    price: float
    ledger: str = "build/ledger"


@app.route("trips", methods=["POST"])
@app.orchestration_client("client")
async def start_trip(req: HttpRequest, client: DurableClient) -> HttpResponse:
    trip = req.json()
    check_paths(trip, writes=["ledger"])
    instance_id = await client.schedule_new_orchestration(book_trip, input=trip)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger()
async def book_trip(context: OrchestrationContext, trip: Trip) -> dict[str, Any]:
    done: list[Booking] = []
    try:
        for step in STEPS:
            booking = Booking(trip_id=context.instance_id, step=step, destination=trip.destination)
            await context.call_activity(book, {"trip": trip, "booking": booking})
            done.append(booking)
    except TaskFailedError as error:
        for booking in reversed(done):
            await context.call_activity(cancel, {"trip": trip, "booking": booking})
        return {"booked": False, "reason": error.details.message}
    return {"booked": True, "steps": list(STEPS)}


@app.activity_trigger()
def book(trip: Trip, booking: Booking) -> None:
    if booking.step == "payment" and trip.price > CREDIT_LIMIT:
        raise ValueError(f"{trip.price:.2f} is above the credit limit of {CREDIT_LIMIT:.2f}.")
    TripLedger(trip.ledger).write(booking, "booked")


@app.activity_trigger()
def cancel(trip: Trip, booking: Booking) -> None:
    TripLedger(trip.ledger).write(booking, "cancelled")
