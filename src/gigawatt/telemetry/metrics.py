"""Counters and histograms of this process, by the names of the table, and how all metrics become text.

What the store and the leader know (jobs, nodes, the ledger) is not counted here: it is read when someone asks, and
given to `exposition` as samples.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector

from gigawatt.telemetry import names
from gigawatt.telemetry.names import Metric

CONTENT_TYPE = CONTENT_TYPE_LATEST

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)


def _histogram(metric: Metric) -> Histogram:
    return Histogram(
        metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=REGISTRY
    )


CYCLE_SECONDS = _histogram(names.CYCLE_SECONDS)
COMMIT_SECONDS = _histogram(names.COMMIT_SECONDS)
BATCH_SIZE = _histogram(names.BATCH_SIZE)
API_SECONDS = _histogram(names.API_SECONDS)
RETENTION_REMOVED = Counter(
    names.RETENTION_REMOVED.name,
    names.RETENTION_REMOVED.help,
    names.RETENTION_REMOVED.labels,
    registry=REGISTRY,
)
RETENTION_REMOVED_BYTES = Counter(
    names.RETENTION_REMOVED_BYTES.name,
    names.RETENTION_REMOVED_BYTES.help,
    names.RETENTION_REMOVED_BYTES.labels,
    registry=REGISTRY,
)
API_REQUESTS = Counter(
    names.API_REQUESTS.name, names.API_REQUESTS.help, names.API_REQUESTS.labels, registry=REGISTRY
)

CONSOLE_REPORTS = Counter(
    names.CONSOLE_REPORTS.name,
    names.CONSOLE_REPORTS.help,
    names.CONSOLE_REPORTS.labels,
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one family, with the labels in the table's order."""

    metric: Metric
    labels: tuple[str, ...] = ()
    value: float


def exposition(samples: Iterable[Sample]) -> bytes:
    """Everything in Prometheus's text format: this process's own, and `samples`."""
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for sample in samples:
        metric = sample.metric
        family = families.get(metric.name)
        if family is None:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = families[metric.name] = kind(metric.name, metric.help, labels=metric.labels)
        family.add_metric(sample.labels, sample.value)
    return generate_latest(REGISTRY) + generate_latest(_Families(families.values()))


class _Families:
    """What `generate_latest` asks of a registry."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Family]:
        return self._families
