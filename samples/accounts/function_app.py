"""Accounts that are entities, and transfers between them."""

from __future__ import annotations

from dataclasses import dataclass

from funchost import (
    DurableClient,
    Entity,
    EntityId,
    FunctionApp,
    HttpRequest,
    HttpResponse,
    OrchestrationContext,
)

app = FunctionApp()


@dataclass(frozen=True)
class Transfer:
    source: str
    target: str
    amount: int


@app.entity_trigger()
class Account(Entity[int]):
    initial_state = 0

    def deposit(self, amount: int) -> int:
        if amount <= 0:
            raise ValueError(f"{amount} is no amount to deposit.")
        self.state += amount
        return self.state

    def withdraw(self, amount: int) -> int:
        if not 0 < amount <= self.state:
            raise ValueError(f"{amount} cannot be taken from {self.state}.")
        self.state -= amount
        return self.state


@app.orchestration_trigger()
async def transfer(context: OrchestrationContext, order: Transfer) -> list[int]:
    """Move money while nobody else uses the two accounts; gives both balances."""
    if order.source == order.target:
        raise ValueError("A transfer goes to another account.")
    source, target = EntityId("Account", order.source), EntityId("Account", order.target)
    async with context.lock_entities(source, target):
        left = await context.entity(Account, order.source).withdraw(order.amount)
        return [left, await context.entity(Account, order.target).deposit(order.amount)]


@app.route("transfers", methods=["POST"])
@app.orchestration_client("client")
async def start_transfer(req: HttpRequest, client: DurableClient) -> HttpResponse:
    instance_id = await client.schedule_new_orchestration(transfer, input=req.json())
    return client.create_check_status_response(req, instance_id)


@app.route("accounts/{name}/deposits", methods=["POST"])
@app.orchestration_client("client")
async def deposit(req: HttpRequest, client: DurableClient) -> HttpResponse:
    account = EntityId("Account", req.route_params["name"])
    await client.signal_entity(account, "deposit", req.json())
    return HttpResponse(status_code=202)


@app.route("accounts/{name}", methods=["GET"])
@app.orchestration_client("client")
async def balance(req: HttpRequest, client: DurableClient) -> HttpResponse:
    found = await client.get_entity(EntityId("Account", req.route_params["name"]))
    if found is None:
        return HttpResponse("There is no such account.", status_code=404)
    return HttpResponse(str(found.state))
