"""Packing runs as one HTML page: each run, and how full the GPUs were as more and more was asked for."""

from collections.abc import Sequence

from gigawatt.twin.charts import bar
from gigawatt.twin.document import document, table
from gigawatt.twin.pack import Packing

STEPS = 10  # looks while as much is asked for as there is


def looks(ratios: Sequence[float]) -> tuple[float, ...]:
    """When to look for a page, up to the last of the ratios that were asked about: these, and steps on the way."""
    last = max(ratios)
    steps = (step / STEPS for step in range(1, int(last * STEPS) + 1))
    return tuple(sorted({*ratios, *(step for step in steps if step <= last)}))


def pack_page(runs: Sequence[Packing], ratios: Sequence[float], *, title: str) -> str:
    """The whole page. Every run was looked at when `looks(ratios)` say."""
    return document(title, (_runs(runs, ratios), _curve(runs)))


def _runs(runs: Sequence[Packing], ratios: Sequence[float]) -> str:
    heads = ("policy", "seed", *(f"at {100 * ratio:g} %" for ratio in ratios))
    body = [
        (
            run.policy,
            str(run.seed),
            *(f"{run.allocation_percent[ratio]:.2f} %" for ratio in ratios),
            f"{run.arrived:,}",
            f"{run.placed:,}",
            f"{run.arrived - run.placed:,}",
        )
        for run in runs
    ]
    shown = table("GPUs that are allocated", (*heads, "arrived", "placed", "dropped"), body)
    return f'<section><h2>Runs</h2><div class="wide">{shown}</div></section>'


def _curve(runs: Sequence[Packing]) -> str:
    body: list[tuple[str, ...]] = []
    for ratio in runs[0].allocation_percent:
        percents = [run.allocation_percent[ratio] for run in runs]
        mean = sum(percents) / len(percents)
        drawn = bar(mean, 100.0, "c-useful", f"{mean:.2f} % at {100 * ratio:g} %")
        spread = (f"{min(percents):.2f} %", f"{max(percents):.2f} %")
        body.append((f"{100 * ratio:g} %", f"{mean:.2f} %", drawn, *spread))
    heads = ("asked for", "allocated, mean", "", "least", "most")
    shown = table("Allocated, of all GPUs, when so much had been asked for", heads, body, raw=(2,))
    return f'<section><h2>As more is asked for</h2><div class="wide">{shown}</div></section>'
