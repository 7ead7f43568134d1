"""What a runtime says of its load, read from its Prometheus page."""

import math
from collections.abc import Iterable, Mapping

from gigawatt.model.runtime import Gauge, Runtime

SUMMED = frozenset({Gauge.RUNNING, Gauge.WAITING, Gauge.PROMPT_TOKENS, Gauge.COMPLETION_TOKENS})


def read_gauges(page: str, runtime: Runtime) -> dict[Gauge, float]:
    """What is there of the runtime's gauges. Series of one name are added up; of cache use the fullest counts."""
    wanted = {name for names in runtime.metrics.values() for name in names}
    series: dict[str, list[float]] = {}
    for name, value in _samples(page, wanted):
        series.setdefault(name, []).append(value)
    found: dict[Gauge, float] = {}
    for gauge, names in runtime.metrics.items():
        values = next((series[name] for name in names if name in series), None)
        if values:
            found[gauge] = sum(values) if gauge in SUMMED else max(values)
    return found


def fullest(all_gauges: Iterable[Mapping[Gauge, float]]) -> float:
    """The cache use of the replica whose cache is fullest, from 0 to 1; 0 where none says."""
    uses = (gauges.get(Gauge.CACHE_USE, 0.0) for gauges in all_gauges)
    return min(max(uses, default=0.0), 1.0)


def _samples(page: str, wanted: set[str]) -> Iterable[tuple[str, float]]:
    """Lines are `name{labels} value [time]`; whatever is not one of those wanted is passed over."""
    for line in page.splitlines():
        brace, blank = line.find("{"), line.find(" ")
        end = brace if brace >= 0 and (blank < 0 or brace < blank) else blank
        name = line[:end] if end > 0 else ""
        if name not in wanted:
            continue
        rest = line[line.rfind("}") + 1 :] if end == brace else line[end:]
        words = rest.split()
        try:
            value = float(words[0]) if words else math.nan
        except ValueError:
            continue
        if math.isfinite(value):
            yield name, value
