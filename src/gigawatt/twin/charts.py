"""Charts as SVG text: stacked areas, lines and bars. Colours are CSS classes, so that the page may change them.

Every chart has a title and a description for those who do not see it, and its numbers stand in a table beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 8, 24
DAY_S = 86_400
TICKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One series: a value for each span, and the class of its colour."""

    name: str
    css: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a chart says of itself, how long its spans are, and up to what its axes go (0: as its values do)."""

    title: str
    about: str
    unit: str
    span_s: float
    spans: int
    most: float = 0.0


def stacked(frame: Frame, bands: Sequence[Band]) -> str:
    """Areas one upon another, the first at the bottom."""
    spans = frame.spans
    base = [0.0] * spans
    sums = [sum(band.values[at] for band in bands if at < len(band.values)) for at in range(spans)]
    most = frame.most or max(sums, default=0.0) or 1.0
    parts: list[str] = []
    for band in bands:
        values = [*band.values, *[0.0] * spans][:spans]
        top = [low + value for low, value in zip(base, values, strict=True)]
        if any(values):
            there = [*_steps(top, most), *reversed(_steps(base, most))]
            parts.append(f'<polygon class="{band.css}" points="{_points(there)}">')
            parts.append(f"<title>{escape(band.name)}</title></polygon>")
        base = top
    return _svg(frame, most, "".join(parts))


def lines(frame: Frame, bands: Sequence[Band]) -> str:
    """One line for each series, drawn in steps and told apart by dashes too."""
    most = frame.most or max((max(band.values, default=0.0) for band in bands), default=0.0) or 1.0
    parts: list[str] = []
    for band in bands:
        there = _steps(list(band.values[: frame.spans]), most, spans=frame.spans)
        parts.append(f'<polyline class="{band.css}" points="{_points(there)}">')
        parts.append(f"<title>{escape(band.name)}</title></polyline>")
    return _svg(frame, most, "".join(parts))


def bar(value: float, most: float, css: str, label: str) -> str:
    """A bar for a cell of a table, beside which its number stands as text."""
    width = 0.0 if most <= 0 else min(value / most, 1.0) * 100
    return (
        f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><rect class="{css}" width="{width:.1f}" height="8"/></svg>'
    )


def short(value: float) -> str:
    """A number as people read it on an axis."""
    for bound, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= bound:
            return f"{value / bound:.3g}{letter}"
    return f"{value:.3g}"


def lasting(seconds: float) -> str:
    """A time as people read it."""
    for bound, letter in ((DAY_S, "d"), (3600, "h"), (60, "min")):
        if seconds >= bound:
            return f"{seconds / bound:.3g} {letter}"
    return f"{seconds:.3g} s"


def _svg(frame: Frame, most: float, inside: str) -> str:
    length_s = frame.span_s * frame.spans
    marks: list[str] = []
    for tick in range(TICKS + 1):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * tick / TICKS
        marks.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        label = escape(short(most * tick / TICKS) + frame.unit)
        marks.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
        x = LEFT + (WIDTH - LEFT - RIGHT) * tick / TICKS
        anchor = "end" if tick == TICKS else "middle"
        label = escape(lasting(length_s * tick / TICKS))
        marks.append(
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{label}</text>'
        )
    title, about = escape(frame.title), escape(frame.about)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{title}</title><desc>{about}</desc>{''.join(marks)}{inside}</svg>"
    )


def _steps(
    values: Sequence[float], most: float, *, spans: int | None = None
) -> list[tuple[float, float]]:
    """Corners of the steps, in the chart's coordinates."""
    count = spans or len(values) or 1
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    corners: list[tuple[float, float]] = []
    for place, value in enumerate(values):
        y = HEIGHT - BOTTOM - high * min(max(value / most, 0.0), 1.0)
        corners += [(LEFT + wide * place / count, y), (LEFT + wide * (place + 1) / count, y)]
    return corners


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
