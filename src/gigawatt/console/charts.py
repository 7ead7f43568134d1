"""Charts that the server draws, as SVG: they need no script, and say in words what they show.

Colours are classes of the stylesheet (`s-NAME`), so that a chart follows the theme.
"""

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 600, 120
SPARK_WIDTH, SPARK_HEIGHT = 96, 20


def sparkline(values: Sequence[float], label: str) -> Markup:
    """A line of values, the newest right. Empty without two of them."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    span = (high - low) or 1
    step = SPARK_WIDTH / (len(values) - 1)
    points = " ".join(
        f"{index * step:.1f},{SPARK_HEIGHT - 2 - (value - low) / span * (SPARK_HEIGHT - 4):.1f}"
        for index, value in enumerate(values)
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-label="{label}"><polyline points="{points}"/></svg>'
    ).format(w=SPARK_WIDTH, h=SPARK_HEIGHT, label=label, points=points)


def stacked_bar(parts: Mapping[str, float], label: str) -> Markup:
    """One bar whose parts are classes by name, in their order, with their shares of the whole as tooltips."""
    total = sum(parts.values())
    if total <= 0:
        return Markup("")
    left, rects = 0.0, list[Markup]()
    for name, value in parts.items():
        if value <= 0:
            continue
        width = value / total * WIDTH
        rects.append(
            Markup(
                '<rect class="s-{n}" x="{x:.2f}" width="{w:.2f}" height="14">'
                "<title>{n} {p:.1f} %</title></rect>"
            ).format(n=name, x=left, w=max(width, 0.5), p=value / total * 100)
        )
        left += width
    return Markup(
        '<svg class="bar" viewBox="0 0 {w} 14" preserveAspectRatio="none" role="img" '
        'aria-label="{label}">{rects}</svg>'
    ).format(w=WIDTH, label=label, rects=Markup("").join(rects))


def stacked_area(series: Mapping[str, Sequence[float]], label: str) -> Markup:
    """Shares over time: at each place, values are stacked in the order of the series and fill the height."""
    length = max((len(values) for values in series.values()), default=0)
    totals = [sum(values[index] for values in series.values()) for index in range(length)]
    if length == 0 or not any(totals):
        return Markup("")
    step = WIDTH / length
    below = [0.0] * length
    paths: list[Markup] = []
    for name, values in series.items():
        if not any(values):
            continue
        above = [
            base + (value / total if total else 0.0)
            for base, value, total in zip(below, values, totals, strict=True)
        ]
        paths.append(
            Markup('<path class="s-{n}" d="{d}"><title>{n}</title></path>').format(
                n=escape(name), d=_band(below, above, step)
            )
        )
        below = above
    return Markup(
        '<svg class="area" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" '
        'aria-label="{label}">{paths}</svg>'
    ).format(w=WIDTH, h=HEIGHT, label=label, paths=Markup("").join(paths))


def _band(below: Sequence[float], above: Sequence[float], step: float) -> str:
    """The outline of one series, as columns: values are of spans of time, not of moments."""
    tops: list[str] = []
    bottoms: list[str] = []
    for index, (low, high) in enumerate(zip(below, above, strict=True)):
        left, right = index * step, (index + 1) * step
        tops.append(f"{left:.1f},{HEIGHT * (1 - high):.1f} {right:.1f},{HEIGHT * (1 - high):.1f}")
        bottoms.append(f"{right:.1f},{HEIGHT * (1 - low):.1f} {left:.1f},{HEIGHT * (1 - low):.1f}")
    return "M" + " L".join(tops) + " L" + " L".join(reversed(bottoms)) + "Z"
