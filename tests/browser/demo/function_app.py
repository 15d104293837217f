"""An app whose instances show all that the dashboard can show: for pictures and browser tests.

Nothing here waits in an activity: what is stuck waits for an event, a timer or a lock.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from funchost import (
    AuthLevel,
    DurableClient,
    Entity,
    EntityId,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    Out,
    RetryPolicy,
    TaskFailedError,
    when_all,
)

app = FunctionApp(http_auth_level=AuthLevel.ANONYMOUS)


@app.orchestration_trigger()
async def place_order(context: OrchestrationContext, order: dict[str, Any]) -> dict[str, Any]:
    """An order with all kinds of deeds, which waits at its end for a person."""
    context.set_custom_status({"step": "checking", "items": len(order["items"])})
    context.signal_entity(EntityId("Stock", "warehouse"), "add", 10)
    prices = await when_all([context.call_activity(look_up_price, x) for x in order["items"]])
    policy = RetryPolicy(timedelta(milliseconds=20), max_number_of_attempts=4)
    await context.call_activity(reserve, str(context.new_uuid()), retry_policy=policy)
    async with context.lock_entities(EntityId("Stock", "warehouse")):
        left = await context.call_entity(EntityId("Stock", "warehouse"), "take", len(prices))
    parcels = await when_all(
        [context.call_sub_orchestrator(pack, item) for item in order["items"][:2]]
    )
    await context.create_timer(timedelta(milliseconds=30))
    try:
        await context.call_activity(call_courier, "by phone")
    except TaskFailedError:
        context.set_custom_status({"step": "courier did not answer; waiting for a person"})
    answer = await context.wait_for_external_event(
        "Approval", dict, timeout=timedelta(days=order.get("days", 3))
    )
    return {"price": sum(prices), "left": left, "parcels": parcels, "answer": answer}


@app.orchestration_trigger()
async def pack(context: OrchestrationContext, item: str) -> str:
    """A child with a child."""
    label = await context.call_sub_orchestrator(print_label, item)
    return str(await context.call_activity(wrap, label))


@app.orchestration_trigger()
async def print_label(context: OrchestrationContext, item: str) -> str:
    """The child of a child."""
    return str(await context.call_activity(wrap, f"label of {item}"))


@app.orchestration_trigger()
async def count_down(context: OrchestrationContext, left: int) -> str:
    """Continues as new until nothing is left, and ends there."""
    await context.call_activity(wrap, left)
    if left > 0:
        context.continue_as_new(left - 1)
    return "lift-off"


@app.orchestration_trigger()
async def many_steps(context: OrchestrationContext, count: int) -> int:
    """A long history: `count` activities, a hundred at a time."""
    done = 0
    while done < count:
        part = min(100, count - done)
        await when_all([context.call_activity(nothing, done + n) for n in range(part)])
        done += part
    return done


@app.orchestration_trigger()
async def settle_payment(context: OrchestrationContext, customer: str) -> None:
    """Fails, with causes, if the customer has no card."""
    card = await context.call_activity(look_up_card, customer)
    await context.call_activity(charge, card)


@app.orchestration_trigger()
async def echo(context: OrchestrationContext, value: Any) -> Any:
    """Shows its input as custom status, event and output."""
    context.set_custom_status(value)
    await context.call_activity(same, value)
    return value


@app.activity_trigger()
async def look_up_price(item: str) -> float:
    """The price of an item."""
    return 10.0 + len(item)


_tries: dict[str, int] = {}


@app.activity_trigger()
async def reserve(key: str) -> str:
    """Fails twice for each key, then does it."""
    _tries[key] = _tries.get(key, 0) + 1
    if _tries[key] < 3:
        raise ConnectionError(f"the warehouse is busy, try {_tries[key]}")
    return "reserved"


@app.activity_trigger()
async def call_courier(how: str) -> str:
    """Nobody answers."""
    raise TimeoutError(f"nobody answered {how}")


@app.activity_trigger()
async def look_up_card(customer: str) -> str:
    """The number of a card. Ann has one only the first time; others are called like theirs."""
    if customer != "Ann":
        return customer
    _tries[customer] = _tries.get(customer, 0) + 1
    return "4000" if _tries[customer] == 1 else "no card"


@app.activity_trigger()
async def charge(card: str) -> None:
    """Fails because of something else."""
    try:
        int(card)
    except ValueError as error:
        raise RuntimeError(f"The card was refused: {card}") from error


@app.activity_trigger()
async def wrap(value: Any) -> str:
    """A text around it."""
    return f"wrapped {value}"


@app.activity_trigger()
async def nothing(number: int) -> int:
    """The number."""
    return number


@app.activity_trigger()
async def same(value: Any) -> Any:
    """What came."""
    return value


@app.entity_trigger()
class Stock(Entity[int]):
    """How many are left."""

    initial_state = 0

    def add(self, number: int) -> int:
        """More of them."""
        self.state += number
        return self.state

    def take(self, number: int) -> int:
        """Fewer of them."""
        self.state -= number
        return self.state


@app.orchestration_trigger(limit="courier")
async def deliver(context: OrchestrationContext, parcel: str) -> str:
    """Waits for the courier; of these only some go on at a time."""
    return str(await context.wait_for_external_event("Delivered"))


@app.route("orders", methods=["POST"])
@app.durable_client_input("client")
async def accept_order(req: HttpRequest, client: DurableClient) -> HttpResponse:
    """Starts an order."""
    instance_id = await client.schedule_new_orchestration(place_order, input=req.json())
    return client.create_check_status_response(req, instance_id)


@app.route("orders/{id}/returns", methods=["POST"])
@app.queue_output("message", queue_name="returns")
def announce_return(req: HttpRequest, message: Out[str]) -> str:
    """Something comes back."""
    message.set(req.route_params["id"])
    return "We expect it."


@app.queue_trigger(arg_name="order_id", queue_name="returns")
@app.blob_output("label", path="labels/{queueTrigger}.txt")
@app.table_output("entry", table_name="returned")
def take_back(order_id: str, label: Out[str], entry: Out[dict[str, str]]) -> None:
    """Writes a label for the parcel, and notes the return."""
    label.set(f"Return of {order_id}")
    entry.set({"PartitionKey": "returns", "RowKey": order_id})


@app.blob_trigger(arg_name="label", path="labels/{name}")
@app.queue_output("$return", queue_name="letters.fifo", message_group_id="{name}")
def post_label(label: str) -> str:
    """Sends the label to the customer."""
    return label


@app.route("returned", methods=["GET"])
@app.table_input("rows", table_name="returned", partition_key="returns")
def show_returned(req: HttpRequest, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What came back."""
    return rows


@app.timer_trigger(arg_name="timer", schedule="0 0 8 * * MON-FRI", time_zone="Europe/Berlin")
@app.queue_output("$return", queue_name="letters.fifo", message_group_id="reminders")
def remind(timer: Any) -> str:
    """A letter to who has not paid."""
    return "Please pay."
