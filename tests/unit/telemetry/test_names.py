"""The table of metrics."""

import pytest

from gigawatt.telemetry.metrics import Sample, exposition
from gigawatt.telemetry.names import JOBS, TABLE, Metric


def test_every_name_is_ours_and_stands_once() -> None:
    names = [metric.name for metric in TABLE]
    assert len(set(names)) == len(names)
    assert all(name.startswith("gigawatt_") for name in names)


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_names_follow_prometheus_conventions(metric: Metric) -> None:
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(metric.buckets)
    assert metric.help.endswith(".")


def test_samples_become_text_with_their_labels() -> None:
    samples = [
        Sample(metric=JOBS, labels=("running",), value=3),
        Sample(metric=JOBS, labels=('odd"phase\n',), value=1),
    ]
    text = exposition(samples).decode()
    assert "# TYPE gigawatt_jobs gauge" in text
    assert 'gigawatt_jobs{phase="running"} 3.0' in text
    assert 'gigawatt_jobs{phase="odd\\"phase\\n"} 1.0' in text
    assert "gigawatt_cycle_seconds_bucket" in text
