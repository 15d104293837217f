"""The dashboard and the alerts that are shipped ask for metrics and labels that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from host.clock import SystemClock
from host.metrics.exposition import Exposition
from host.metrics.host_metrics import HostMetrics
from host.metrics.readings import HostReading, HubReading
from host.storage.local_queues import NO_HINTS

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "funchost.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "metrics.md"
_SUFFIXES = re.compile(r"_(bucket|count|sum|total)$")


def known() -> set[str]:
    """The names of all families, as they are written."""
    exposition = Exposition(HostMetrics(SystemClock()), {"version": "1"})
    host = HostReading(
        sessions=0,
        activities_running=0,
        activities_waiting=0,
        cached=0,
        cache_hits=0,
        cache_misses=0,
        store_failures=0,
    )
    hub = HubReading(hints=NO_HINTS)
    text, _ = exposition.written(host, hub, "")
    found = set(re.findall(r"^# TYPE (\w+)", text.decode(), re.M))
    return {_SUFFIXES.sub("", name) for name in found}


def asked_for(text: str) -> set[str]:
    return {_SUFFIXES.sub("", name) for name in re.findall(r"\bfunchost_\w+", text)}


def expressions(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["expr"]] if isinstance(value.get("expr"), str) else []
        return own + [each for member in value.values() for each in expressions(member)]
    return (
        [each for member in value for each in expressions(member)]
        if isinstance(value, list)
        else []
    )


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    asked = expressions(json.loads(DASHBOARD.read_text("utf-8")))
    assert len(asked) > 10
    assert asked_for("\n".join(asked)) <= known()
    assert all(expression.count("(") == expression.count(")") for expression in asked)


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    text = ALERTS.read_text("utf-8")
    assert text.count("- alert:") == text.count("expr:") > 4
    assert asked_for(text) <= known()


def test_every_metric_is_in_the_documentation_and_none_besides() -> None:
    rows = re.findall(r"^\| `(funchost_\w+)", PAGE.read_text("utf-8"), re.M)
    own = {name for name in known() if name.startswith("funchost_")}
    assert {_SUFFIXES.sub("", name) for name in rows} == own
