"""What is returned becomes a row, which is there once though the activity runs again."""

from datetime import UTC, datetime


def main(greeting: dict[str, str]) -> dict[str, object]:
    return {"text": greeting["text"], "saved": datetime.now(UTC)}
