"""The greetings of a city that are in the table."""

from funchost import HttpRequest


def main(req: HttpRequest, rows: list[dict[str, object]]) -> dict[str, object]:
    return {"city": req.route_params["city"], "greetings": [row["text"] for row in rows]}
