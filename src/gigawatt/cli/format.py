"""Numbers as people read them. Pure: text from values, nothing printed, no clock read."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gigawatt.sdk.standing_views import CauseView
    from gigawatt.sdk.views import DeadlineView
    from gigawatt.sdk.volume_views import MountView

NOTHING = "–"
_OUTLOOKS = {
    "likely": "is likely to be met",
    "uncertain": "may be met or not",
    "unlikely": "is unlikely to be met",
    "unknown": "is of unknown outcome: nothing is known of its end",
    "met": "was met",
    "missed": "was missed",
}
_BLOCKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SPANS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))
_SIZES = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_COUNTS = (("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000))


def duration(span_ms: float) -> str:
    """Two units at most: `340ms`, `12s`, `3m20s`, `2h05m`, `4d3h`."""
    if span_ms < 1_000:
        return f"{max(0, round(span_ms))}ms"
    whole = int(span_ms)
    for index, (unit, size) in enumerate(_SPANS):
        if whole >= size:
            count, rest = divmod(whole, size)
            if index == len(_SPANS) - 1:
                return f"{count}s"
            below, below_size = _SPANS[index + 1]
            less = rest // below_size
            digits = f"{less:02d}" if below in "ms" else f"{less}"
            return f"{count}{unit}{digits}{below}" if less else f"{count}{unit}"
    return "0s"


def age(then_ms: int, now_ms: int) -> str:
    """How long ago, in one unit where that says enough: `8s`, `3m`, `5h`, `2d`."""
    span = max(0, now_ms - then_ms)
    for unit, size in _SPANS:
        if span >= size:
            return f"{span // size}{unit}"
    return "0s"


def estimate(p50_ms: int, p90_ms: int, now_ms: int) -> str:
    """When something starts: `in 3m as likely as not, in 20m nine times of ten`."""
    likely, surely = duration(max(0, p50_ms - now_ms)), duration(max(0, p90_ms - now_ms))
    return f"in {likely} as likely as not, in {surely} nine times of ten"


def deadline(view: "DeadlineView") -> str:
    """A deadline and how it looks for it."""
    at = datetime.fromtimestamp(view["at_ms"] / 1_000, UTC).isoformat(timespec="seconds")
    then = ", and it is stopped then" if view["then"] == "stop" else ""
    return f"its deadline of {at} {_OUTLOOKS[view['outlook']]}{then}"


def start(at: str) -> str:
    """A start as the API writes it: `now`, or by when."""
    return at if at == "now" else f"by {at}"


def size(count_bytes: int) -> str:
    """`512 B`, `1.5 KiB`, `3 GiB`."""
    for unit, factor in _SIZES:
        if count_bytes >= factor:
            return f"{count_bytes / factor:.3g} {unit}"
    return f"{count_bytes} B"


def count(value: float) -> str:
    """`950`, `12.3k`, `4.56M`."""
    for unit, factor in _COUNTS:
        if abs(value) >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"


def amount(value: float) -> str:
    """An amount without digits that say nothing: `4`, `0.5`."""
    return f"{value:g}"


def loss(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4g}"


def percent(part: float, whole: float) -> str:
    """`37.5 %`; nothing of nothing is `–`."""
    return f"{100 * part / whole:.1f} %" if whole else NOTHING


def bar(part: float, whole: float, width: int) -> str:
    """A bar of `width` columns that is full when `part` is `whole`."""
    if whole <= 0 or part <= 0:
        return ""
    eighths = max(1, round(min(1.0, part / whole) * width * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def sparkline(values: Sequence[float], width: int) -> str:
    """The last values as blocks, lowest to highest; more values than columns are averaged."""
    if not values:
        return ""
    if len(values) > width:
        edges = [round(index * len(values) / width) for index in range(width + 1)]
        values = [
            sum(values[first:after]) / (after - first) for first, after in itertools.pairwise(edges)
        ]
    low, high = min(values), max(values)
    if high == low:
        return _BLOCKS[3] * len(values)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round((value - low) / (high - low) * steps)] for value in values)


def device_time(unit_ms: int) -> str:
    """The ledger's integers as time of one device, whole: `3h20m` of a GPU or a core."""
    return duration(unit_ms / 1_000)


def device(unit: str) -> str:
    """What the ledger's unit counts."""
    return "GPU" if "gpu" in unit else "core"


def plural(number: float, word: str) -> str:
    """`1 node`, `2 nodes`."""
    return f"{amount(number)} {word}" if number == 1 else f"{amount(number)} {word}s"


def gang(least: int, most: int, ranks: int, amounts: Sequence[str], spares: int = 0) -> str:
    """`2 nodes × 1 rank, each node 0.5 CPU, 1 GiB, and 1 spare`."""
    nodes = plural(most, "node") if least == most else f"{least} to {most} nodes"
    each = f", each node {', '.join(amounts)}" if amounts else ""
    beside = f", and {plural(spares, 'spare')}" if spares else ""
    return f"{nodes} × {plural(ranks, 'rank')}{each}{beside}"


def amounts(gpus: float, cpus: float, memory_bytes: int) -> list[str]:
    """`["2 GPU", "0.5 CPU", "1 GiB"]`, without what is none."""
    found = [f"{amount(value)} {word}" for value, word in ((gpus, "GPU"), (cpus, "CPU")) if value]
    return [*found, size(memory_bytes)] if memory_bytes else found


def mounts(views: "Sequence[MountView]") -> str:
    """`imagenet:2 at data/imagenet, scratch at out (rw)`."""
    named = (f"{each['volume']} at {each['path']}" for each in views)
    modes = (f" ({each['mode']})" if each["mode"] != "ro" else "" for each in views)
    return ", ".join(name + mode for name, mode in zip(named, modes, strict=True))


def short_digest(digest: str) -> str:
    """The first digits, which people compare."""
    return digest[: len("sha256:") + 12] if digest else NOTHING


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool] = ()
) -> str:
    """Columns two spaces apart, nothing cut off, no space at a line's end: for pipes."""
    sides = tuple(right) or (False,) * len(headers)
    widths = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if side else cell.ljust(width)
            for cell, width, side in zip(line, widths, sides, strict=True)
        ).rstrip()
        for line in (headers, *rows)
    ]
    return "\n".join(lines)


def made_by(cause: "CauseView | None") -> str:
    """The schedule and the template that work came from, with the values that were given."""
    if not cause:
        return ""
    values = " ".join(f"{name}={value}" for name, value in cause["parameters"].items())
    template = f"template {cause['template']}@{cause['template_number']}"
    parts = [
        f"schedule {cause['schedule']}" if cause["schedule"] else "",
        template if cause["template"] else "",
        values,
    ]
    return " ".join(part for part in parts if part)
