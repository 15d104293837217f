"""Function chaining: a sales report in three steps, each fed by the one before.

If the host dies between two steps, the next start goes on with the step that was missing.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from funchost import DurableClient, FunctionApp, HttpRequest, HttpResponse, OrchestrationContext

from confined_paths import check_paths, readable, shown, writable

app = FunctionApp()

EXAMPLE_SALES = Path(__file__).parent / "sales.csv"


@dataclass(frozen=True, kw_only=True)
class ReportOrder:
    """Which CSV file (columns `product` and `amount`) to sum up, and where the report goes.

    Without a file the sample's own sales are summed up.
    """

    report: str
    sales: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sale:
    """One line of the CSV file."""

    product: str
    amount: float


@app.route("reports", methods=["POST"])
@app.orchestration_client("client")
async def start_report(req: HttpRequest, client: DurableClient) -> HttpResponse:
    order = req.json()
    check_paths(order, reads=["sales"], writes=["report"])
    instance_id = await client.schedule_new_orchestration(make_report, input=order)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger()
async def make_report(context: OrchestrationContext, order: ReportOrder) -> str:
    sales = await context.call_activity(read_sales, order.sales)
    totals = await context.call_activity(sum_by_product, sales)
    return await context.call_activity(write_report, {"path": order.report, "totals": totals})


@app.activity_trigger()
def read_sales(path: str | None) -> list[Sale]:
    source = EXAMPLE_SALES if path is None else readable(path)
    with source.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return [Sale(product=row["product"], amount=float(row["amount"])) for row in rows]


@app.activity_trigger()
def sum_by_product(sales: list[Sale]) -> dict[str, float]:
    totals: defaultdict[str, float] = defaultdict(float)
    for sale in sales:
        totals[sale.product] += sale.amount
    return totals


@app.activity_trigger()
def write_report(path: str, totals: dict[str, float]) -> str:
    """Write the report as Markdown; a dict as input fills the parameters by name."""
    best_first = sorted(totals.items(), key=lambda item: -item[1])
    lines = ["| product | total |", "|---|--:|"]
    lines += [f"| {product} | {total:.2f} |" for product, total in best_first]
    report = writable(path)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return shown(report)
