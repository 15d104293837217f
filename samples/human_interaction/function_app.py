"""Human interaction: a purchase waits for somebody's decision, but not for ever.

The waiting costs nothing and survives restarts: the deadline and the event are in the hub's tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    InstanceNotFoundError,
    InstanceStateError,
    OrchestrationContext,
)

from confined_paths import check_paths, writable

app = FunctionApp()

DECISION = "Decision"


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """What somebody wants to buy; `outbox` is the folder that stands for the approver's mailbox."""

    item: str
    price: float
    hours_to_decide: float = 72
    outbox: str = "build/outbox"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The approver's answer."""

    approved: bool
    comment: str = ""


@app.route("purchases", methods=["POST"])
@app.orchestration_client("client")
async def request_purchase(req: HttpRequest, client: DurableClient) -> HttpResponse:
    purchase = req.json()
    check_paths(purchase, writes=["outbox"])
    instance_id = await client.schedule_new_orchestration(decide_purchase, input=purchase)
    return client.create_check_status_response(req, instance_id)


@app.route("purchases/{id}/decision", methods=["POST"])
@app.orchestration_client("client")
async def answer_purchase(req: HttpRequest, client: DurableClient) -> HttpResponse:
    try:
        await client.raise_event(req.route_params["id"], DECISION, req.json())
    except InstanceNotFoundError:
        return HttpResponse("There is no such purchase.\n", status_code=404)
    except InstanceStateError:
        return HttpResponse("This purchase is decided already.\n", status_code=410)
    return HttpResponse(status_code=202)


@app.orchestration_trigger()
async def decide_purchase(context: OrchestrationContext, purchase: Purchase) -> str:
    await context.call_activity(
        ask_approver, {"request_id": context.instance_id, "purchase": purchase}
    )
    context.set_custom_status("Waiting for a decision")
    try:
        decision = await context.wait_for_external_event(
            DECISION, Decision, timeout=timedelta(hours=purchase.hours_to_decide)
        )
    except TimeoutError:
        return "Refused: nobody decided in time"
    return f"{'Approved' if decision.approved else 'Refused'}: {decision.comment}"


@app.activity_trigger()
def ask_approver(request_id: str, purchase: Purchase) -> None:
    """Put a letter into the outbox; a real app would send a mail here."""
    letter = writable(f"{purchase.outbox}/{request_id}.txt")
    letter.parent.mkdir(parents=True, exist_ok=True)
    letter.write_text(
        f"May we buy '{purchase.item}' for {purchase.price:.2f}?\n"
        f'POST {{"approved": true, "comment": "..."}} to /api/purchases/{request_id}/decision\n',
        encoding="utf-8",
    )
