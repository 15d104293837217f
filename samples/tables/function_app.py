"""Tables: orders are written by a request, found by key and by filter, and billed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from funchost import (
    DurableClient,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
    Out,
    ReusePolicy,
)
from pydantic import BaseModel, Field

app = FunctionApp()


class Order(BaseModel):
    """A row of the table `orders`: its keys are the customer and the number."""

    customer: str = Field(alias="PartitionKey", default="")
    number: str = Field(alias="RowKey")
    price: float = Field(ge=0)


@dataclass
class Bill:
    """A row of the table `bills`; the binding says its keys."""

    price: float
    text: str


@app.route("orders/{customer}", methods=["POST"])
@app.table_output("row", table_name="orders")
def place_order(req: HttpRequest, row: Out[Order]) -> tuple[str, int]:
    """Insert an order. One of this number that is there already is answered with 409."""
    order = Order.model_validate(req.json())
    order.customer = req.route_params["customer"]
    row.set(order)
    return f"Order {order.number} is placed.", 201


@app.route("orders/{customer}", methods=["GET"])
@app.table_input(
    "orders", table_name="orders", partition_key="{customer}", filter="price ge {from}", take=100
)
def dear_orders(orders: list[Order]) -> dict[str, Any]:
    """The customer's orders of this price or more: `?from=10`."""
    return {"orders": [each.number for each in orders], "sum": sum(x.price for x in orders)}


@app.route("orders/{customer}/{number}", methods=["GET"])
@app.table_input("order", table_name="orders", partition_key="{customer}", row_key="{number}")
def one_order(order: Order | None) -> Order | HttpResponse:
    """One order."""
    return order or HttpResponse("There is no such order.", status_code=404)


@app.route("orders/{customer}/{number}/bill", methods=["POST"])
@app.table_input("order", table_name="orders", partition_key="{customer}", row_key="{number}")
@app.durable_client_input("client")
async def bill_order(req: HttpRequest, order: Order | None, client: DurableClient) -> HttpResponse:
    """Start the orchestration that bills an order, once for each."""
    if order is None:
        return HttpResponse("There is no such order.", status_code=404)
    id_ = await client.schedule_new_orchestration(
        bill,
        input={"customer": order.customer, "number": order.number, "price": order.price},
        instance_id=f"bill-{order.customer}-{order.number}",
        reuse=ReusePolicy.KEEP,
    )
    return client.create_check_status_response(req, id_)


@app.orchestration_trigger()
async def bill(context: OrchestrationContext, order: dict[str, Any]) -> str:
    return await context.call_activity(write_bill, order)


@app.activity_trigger("order")
@app.table_output("row", table_name="bills", partition_key="{customer}", row_key="{number}")
def write_bill(order: dict[str, Any], row: Out[Bill]) -> str:
    """Write the bill. If this runs again after a crash, the bill is there once, as it was."""
    text = f"Dear {order['customer']}, please pay {order['price']:.2f}."
    row.set(Bill(price=order["price"], text=text))
    return text
