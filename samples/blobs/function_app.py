"""Blobs: a CSV file is dropped into a folder, and its summary is written beside it.

On AWS the containers are buckets of S3, and the functions stay as they are.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator

from funchost import FunctionApp, HttpRequest, InputStream, Out

app = FunctionApp()


@app.blob_trigger(arg_name="sales", path="sales/{day}.csv")
@app.blob_output(arg_name="summary", path="summaries/{day}.json")
@app.blob_output(arg_name="refused", path="refused/{day}.csv")
def summarize(sales: InputStream, summary: Out[dict[str, float]], refused: Out[str]) -> None:
    """Sum up the amounts by product. The file is read line by line, however long it is."""
    amounts: Counter[str] = Counter()
    wrong: list[str] = []
    for row in csv.DictReader(io.TextIOWrapper(sales, encoding="utf-8")):
        try:
            amounts[row["product"]] += float(row["amount"])  # type: ignore[assignment]
        except (KeyError, TypeError, ValueError):
            wrong.append(",".join(str(each) for each in row.values()))
    summary.set(dict(amounts))
    if wrong:
        refused.set("\n".join(wrong))


@app.route("summaries/{day}", methods=["GET"])
@app.blob_input(arg_name="summary", path="summaries/{day}.json")
def show(req: HttpRequest, summary: dict[str, float] | None) -> dict[str, float] | tuple[str, int]:
    """What is sold that day."""
    if summary is None:
        return f"Nothing is summed up for {req.route_params['day']}.", 404
    return summary


@app.blob_trigger(arg_name="summary", path="summaries/{day}.json")
@app.blob_output(arg_name="$return", path="reports/{day}.txt")
def report(summary: dict[str, float]) -> Iterator[str]:
    """Each summary is made a report: what one function writes may trigger another one."""
    return (f"{name:<20}{amount:>12.2f}\n" for name, amount in sorted(summary.items()))
