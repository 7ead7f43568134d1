"""Reports of runs as one HTML page, with charts."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from gigawatt.model.ledger import TimeClass
from gigawatt.twin.charts import Band, Frame, bar, lasting, lines, short, stacked
from gigawatt.twin.document import document, table
from gigawatt.twin.history import ASKED, QUEUED, Ended, History
from gigawatt.twin.report import Report

ORDER = (
    TimeClass.USEFUL,
    TimeClass.SERVING,
    TimeClass.SERVING_IDLE,
    TimeClass.WORKSPACE_IDLE,
    TimeClass.CHECKPOINTING,
    TimeClass.STARTING,
    TimeClass.PREEMPTED,
    TimeClass.REDONE,
    TimeClass.USER_FAULT,
    TimeClass.HELD,
    TimeClass.TESTED,
    TimeClass.DRAINED,
    TimeClass.DOWN,
    TimeClass.RESERVED_IDLE,
    TimeClass.IDLE,
)
PROJECTS_MAX = 50  # shown, the largest first
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)  # devices, the most of each class
LINES = 6  # colours and dashes of lines, before they come again


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One run on the page."""

    name: str
    report: Report
    history: History


def page(runs: Sequence[Shown], *, title: str) -> str:
    """The whole document."""
    sections = (_summary(runs), _ledgers(runs), _queues(runs), _sizes(runs), _projects(runs))
    return document(title, sections)


def _summary(runs: Sequence[Shown]) -> str:
    rows: list[tuple[str, Callable[[Report], str]]] = [
        ("policy", lambda r: r.policy),
        ("jobs completed", lambda r: f"{r.jobs_completed:,} of {r.jobs_submitted:,}"),
        ("jobs still waiting", lambda r: f"{r.jobs_waiting:,}"),
        ("wait, mean", lambda r: _time(r.wait_s.mean)),
        ("wait, p50", lambda r: _time(r.wait_s.p50)),
        ("wait, p90", lambda r: _time(r.wait_s.p90)),
        ("wait, p99", lambda r: _time(r.wait_s.p99)),
        ("submission to end, mean", lambda r: _time(r.jct_s.mean)),
        ("makespan", lambda r: _time(r.makespan_s)),
        ("utilization", lambda r: _percent(r.utilization)),
        ("goodput", lambda r: _percent(r.goodput)),
        ("fragmentation", lambda r: _percent(r.fragmentation)),
        ("preemptions", lambda r: f"{r.preemptions:,}"),
        ("interruptions by failures", lambda r: f"{r.interruptions:,}"),
        ("work lost, GPU time", lambda r: _time(r.lost_work_gpu_s)),
    ]
    body = [(name, *(show(run.report) for run in runs)) for name, show in rows]
    numbers = table("Each run", ("", *(run.name for run in runs)), body)
    return f'<section><h2>Summary</h2><div class="wide">{numbers}</div></section>'


def _ledgers(runs: Sequence[Shown]) -> str:
    spans_s = max(_length_s(run) for run in runs)
    there = {name for run in runs for row in run.history.classes for name in row if row[name]}
    shown = [each.value for each in ORDER if each.value in there]
    figures: list[str] = []
    for run in runs:
        span_s = run.history.span_ms / 1000
        frame = Frame(
            title=f"Device time of {run.name}",
            about=f"What all devices were used for over time, in per cent of what is installed: {', '.join(shown)}.",
            unit="%",
            span_s=span_s,
            spans=max(round(spans_s / span_s), 1),
            most=100.0,
        )
        bands = [
            Band(name=name, css=f"c-{name}", values=_percents(run.history, name)) for name in shown
        ]
        sums = sum(run.history.classes, Counter[str]())
        total = sum(sums.values())
        rows = [(name, _percent(sums[name] / total if total else None)) for name in shown]
        numbers = table("Of all device time", ("class", "part"), rows)
        figures.append(_figure(run.name, stacked(frame, bands), numbers))
    legend = "".join(f'<li><i class="c-{name}"></i>{escape(name)}</li>' for name in shown)
    return (
        '<section><h2>What the site was used for</h2><ul class="legend">'
        f'{legend}</ul><div class="pair">{"".join(figures)}</div></section>'
    )


def _queues(runs: Sequence[Shown]) -> str:
    device = "GPUs" if runs[0].history.unit == "milli_gpu_ms" else "cores"
    figures: list[str] = []
    for key, title, scale in (
        (QUEUED, "Gangs that wait", 1),
        (ASKED, f"{device} that they ask for", 1000),
    ):
        span_s = max(run.history.span_ms for run in runs) / 1000
        bands = [
            Band(
                name=run.name,
                css=f"line l{place % LINES}",
                values=_levels(run.history, key, scale, span_s),
            )
            for place, run in enumerate(runs)
        ]
        frame = Frame(
            title=title,
            about=f"{title}, over time, on average in each span of {lasting(span_s)}.",
            unit="",
            span_s=span_s,
            spans=max((len(band.values) for band in bands), default=1) or 1,
        )
        rows = [
            (band.name, short(max(band.values, default=0)), short(_mean(band.values)))
            for band in bands
        ]
        numbers = table(title, ("run", "most", "mean"), rows)
        figures.append(_figure(title, lines(frame, bands), numbers))
    legend = "".join(
        f'<li><svg class="key" viewBox="0 0 24 8" aria-hidden="true"><line class="line l{at % LINES}" x1="0" x2="24" y1="4" y2="4"/></svg>{escape(run.name)}</li>'
        for at, run in enumerate(runs)
    )
    return (
        f'<section><h2>The line</h2><ul class="legend">{legend}</ul>'
        f'<div class="pair">{"".join(figures)}</div></section>'
    )


def _sizes(runs: Sequence[Shown]) -> str:
    """Waits by how many devices a job asks for."""
    classes: dict[int, list[list[int]]] = {}
    for place, run in enumerate(runs):
        for each in run.history.ended:
            rows = classes.setdefault(_size(each.units), [[] for _ in runs])
            rows[place].append(each.wait_ms)
    most = max((_mean(waits) for rows in classes.values() for waits in rows), default=0.0)
    body: list[tuple[str, ...]] = []
    for size in sorted(classes):
        for run, waits in zip(runs, classes[size], strict=True):
            body.append((_up_to(size), run.name, f"{len(waits):,}", *_spread(waits, most)))
    heads = ("devices", "run", "jobs", "mean wait", "", "p90", "p99")
    numbers = table("Waits by size", heads, body, raw=(4,))
    return f'<section><h2>Waits by size</h2><div class="wide">{numbers}</div></section>'


def _projects(runs: Sequence[Shown]) -> str:
    used = [sum(run.history.projects, Counter[str]()) for run in runs]
    total = sum(used, Counter[str]())
    names = sorted(total, key=lambda name: (-total[name], name))
    waits = [_by_project(run.history.ended) for run in runs]
    whole = max((amount for each in used for amount in each.values()), default=0)
    body: list[tuple[str, ...]] = []
    for name in names[:PROJECTS_MAX]:
        for run, held, ended in zip(runs, used, waits, strict=True):
            hours = held[name] / 3_600_000_000
            label = f"{name}, {run.name}: {short(hours)} device hours"
            times = ended.get(name, [])
            spread = _spread(times, 0.0)
            body.append(
                (name, run.name, f"{len(times):,}", short(hours), bar(held[name], whole, "c-useful", label), spread[0], *spread[2:])
            )  # fmt: skip
    heads = ("project", "run", "jobs", "device hours", "", "mean wait", "p90", "p99")
    left = len(names) - PROJECTS_MAX
    more = f"<p>{left} more projects have used less.</p>" if left > 0 else ""
    numbers = table("Projects", heads, body, raw=(4,))
    return f'<section><h2>Projects</h2><div class="wide">{numbers}</div>{more}</section>'


def _figure(name: str, chart: str, numbers: str) -> str:
    return (
        f"<figure><figcaption>{escape(name)}</figcaption>{chart}"
        f"<details><summary>Numbers</summary>{numbers}</details></figure>"
    )


def _percents(history: History, name: str) -> tuple[float, ...]:
    totals = [sum(row.values()) for row in history.classes]
    return tuple(
        100 * row[name] / total if total else 0.0
        for row, total in zip(history.classes, totals, strict=True)
    )


def _levels(history: History, key: str, scale: int, span_s: float) -> tuple[float, ...]:
    """The average of each span of `span_s`, which is a whole number of the history's own."""
    own_ms = history.span_ms
    each = max(round(span_s * 1000 / own_ms), 1)
    values = [row[key] / (own_ms * scale) for row in history.line]
    return tuple(_mean(values[at : at + each]) for at in range(0, len(values), each))


def _spread(waits: Sequence[int], most: float) -> tuple[str, str, str, str]:
    """The mean as text and as a bar, and two percentiles by nearest rank."""
    if not waits:
        return "-", "", "-", "-"
    ordered, mean = sorted(waits), _mean(waits)
    p90, p99 = (ordered[-(-part * len(ordered) // 100) - 1] for part in (90, 99))
    drawn = bar(mean, most, "c-starting", _time(mean / 1000))
    return _time(mean / 1000), drawn, _time(p90 / 1000), _time(p99 / 1000)


def _by_project(ended: Iterable[Ended]) -> dict[str, list[int]]:
    waits: dict[str, list[int]] = {}
    for each in ended:
        waits.setdefault(each.project, []).append(each.wait_ms)
    return waits


def _size(units: int) -> int:
    devices = -(-units // 1000)
    return next((size for size in SIZES if devices <= size), SIZES[-1] + 1)


def _up_to(size: int) -> str:
    if size > SIZES[-1]:
        return f"more than {SIZES[-1]}"
    place = SIZES.index(size)
    least = SIZES[place - 1] + 1 if place else 0
    return str(size) if least >= size or not place else f"{least} to {size}"


def _length_s(run: Shown) -> float:
    return run.history.span_ms * len(run.history.classes) / 1000


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else lasting(seconds)


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f} %"
