"""The metrics as Prometheus reads them, made by its library of what was counted and read.

The library is imported at the first request: a host that nobody collects from starts without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from host.metrics.figures import Durations
from host.metrics.host_metrics import HostMetrics
from host.metrics.readings import HostReading, HubReading

Labels: TypeAlias = tuple[str, ...]
Family: TypeAlias = Any
_FUNCTION: Final = ("kind", "function")


class Exposition:
    """Writes the metrics of one host. `about` are labels of the host, such as its version."""

    def __init__(self, metrics: HostMetrics, about: Mapping[str, str]) -> None:
        self._metrics = metrics
        self._about = about
        self._registry: Any = None
        self._now: tuple[HostReading, HubReading] | None = None

    def written(self, host: HostReading, hub: HubReading, accept: str) -> tuple[bytes, str]:
        """The text, and its content type, in the form that the `Accept` header asks for."""
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - see above

        self._now = host, hub
        encode, content_type = choose_encoder(accept)
        try:
            return bytes(encode(self._own_registry())), str(content_type)
        finally:
            self._now = None

    def collect(self) -> Iterator[Family]:
        """The families; called by the library."""
        if self._now is None:
            return
        host, hub = self._now
        yield from _of_functions(self._metrics)
        yield from _of_engine(self._metrics, host)
        yield from _of_store_and_http(self._metrics)
        yield from _of_hub(hub)
        about = tuple(self._about)
        yield _gauge("host_info", "Always 1.", about, [(tuple(self._about.values()), 1)])

    def _own_registry(self) -> Any:
        if self._registry is None:
            import prometheus_client as library  # noqa: PLC0415 - see the head of this file

            registry = library.CollectorRegistry(auto_describe=False)
            library.ProcessCollector(registry=registry)
            library.PlatformCollector(registry=registry)
            library.GCCollector(registry=registry)
            registry.register(self)
            self._registry = registry
        return self._registry


def _of_functions(metrics: HostMetrics) -> Iterator[Family]:
    functions = list(metrics.functions.all())
    yield _counter(
        "function_failures",
        "Runs of functions that failed, retries included.",
        _FUNCTION,
        [((each.kind, each.name), each.failures) for each in functions],
    )
    yield _histogram(
        "function_duration_seconds",
        "How long runs of functions took, failed ones, too; of orchestrators from start to end.",
        _FUNCTION,
        [((each.kind, each.name), each.took) for each in functions],
    )
    yield _counter(
        "orchestrations_started",
        "Orchestrations that took their first turn.",
        ("function",),
        [((name,), count) for name, count in metrics.starts.items()],
    )
    yield _counter(
        "orchestrations_ended",
        "Orchestrations that ended, by status.",
        ("function", "status"),
        metrics.ends.items(),
    )
    yield _histogram(
        "orchestration_start_delay_seconds",
        "How long orchestrations waited for their first turn.",
        (),
        [((), metrics.start_delay)],
    )


def _of_engine(metrics: HostMetrics, host: HostReading) -> Iterator[Family]:
    turns = max(0, metrics.store.of("commit").calls - metrics.conflicts)
    for name, text, value in (
        ("turns", "Turns that were stored.", turns),
        ("store_failures", "What failed because the store was away.", host.store_failures),
        (
            "conflicts",
            "Turns that counted for nothing: another host was faster.",
            metrics.conflicts,
        ),
        ("redeliveries", "Wake-ups that somebody had held before.", metrics.redeliveries),
        ("takeovers", "Instances that go on here after a host vanished.", metrics.takeovers),
        ("quarantined", "Instances that were put into quarantine.", metrics.quarantined),
        ("activities_cancelled", "Activities that were cancelled.", metrics.cancelled),
        ("cache_hits", "Sessions that found their instance in memory.", host.cache_hits),
        ("cache_misses", "Sessions that had to load their instance.", host.cache_misses),
    ):
        yield _counter(name, text, (), [((), value)])
    for name, text, value in (
        ("sessions", "Instances that are led now.", host.sessions),
        ("activities_running", "Activities that run now.", host.activities_running),
        ("activities_waiting", "Activities that wait here for room.", host.activities_waiting),
        ("cached_instances", "Instances that wait in memory.", host.cached),
    ):
        yield _gauge(name, text, (), [((), value)])
    yield _histogram(
        "event_loop_lag_seconds",
        "How late the event loop was, measured each second.",
        (),
        [((), metrics.loop_lag)],
    )


def _of_store_and_http(metrics: HostMetrics) -> Iterator[Family]:
    operations = list(metrics.store.by_operation.items())
    yield _counter(
        "store_operations",
        "Operations that were asked of the store.",
        ("operation",),
        [((name,), each.calls) for name, each in operations if each.calls],
    )
    yield _histogram(
        "store_operation_duration_seconds",
        "How long operations of the store took, by samples.",
        ("operation",),
        [((name,), each.took) for name, each in operations if each.calls],
    )
    yield _counter(
        "http_requests",
        "Answers, by operation and status.",
        ("operation", "code"),
        [((name, str(status)), count) for (name, status), count in metrics.requests.items()],
    )
    yield _histogram(
        "http_request_duration_seconds",
        "How long answers took.",
        ("operation",),
        [((name,), took) for name, took in metrics.requests_took.items()],
    )


def _of_hub(hub: HubReading) -> Iterator[Family]:
    if hub.hints is not None:
        hints = hub.hints
        yield _gauge(
            "hints",
            "Hints of the hub: wake-ups of instances, and activities for any host.",
            ("queue", "state"),
            [
                (("wakeups", "waiting"), hints.wakeups_waiting),
                (("wakeups", "held"), hints.wakeups_held),
                (("work", "waiting"), hints.work_waiting),
                (("work", "held"), hints.work_held),
            ],
        )
    queues = hub.queues or ()
    yield _gauge(
        "queue_messages",
        "Messages in queues of functions.",
        ("queue", "state"),
        [
            sample
            for each in queues
            for sample in (
                ((each.name, "waiting"), each.messages - each.held - each.delayed),
                ((each.name, "held"), each.held),
                ((each.name, "delayed"), each.delayed),
            )
        ],
    )
    limits = hub.limits or ()
    for name, text, values in (
        ("limit_in_use", "Slots of a limit that are in use.", [x.total.in_use for x in limits]),
        ("limit_waiting", "Who waits for a slot.", [x.total.waiting for x in limits]),
    ):
        samples = [((x.name,), value) for x, value in zip(limits, values, strict=True)]
        yield _gauge(name, text, ("limit",), samples)


def _counter(
    name: str, text: str, labels: Labels, samples: Iterable[tuple[Labels, float]]
) -> Family:
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415 - see the head

    family = CounterMetricFamily(f"funchost_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _gauge(name: str, text: str, labels: Labels, samples: Iterable[tuple[Labels, float]]) -> Family:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - see the head

    family = GaugeMetricFamily(f"funchost_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _histogram(
    name: str, text: str, labels: Labels, samples: Iterable[tuple[Labels, Durations]]
) -> Family:
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415 - see the head

    family = HistogramMetricFamily(f"funchost_{name}", text, labels=labels)
    for values, took in samples:
        family.add_metric(values, list(_cumulated(took)), took.total_s)
    return family


def _cumulated(took: Durations) -> Iterator[tuple[str, int]]:
    so_far = 0
    for bound, count in zip((*map(str, took.bounds), "+Inf"), took.counts, strict=True):
        so_far += count
        yield bound, so_far
