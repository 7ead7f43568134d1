"""`gw top` as text: the head with its bars, and a table for each kind of thing, as high as the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gigawatt.cli import format as form
from gigawatt.cli.top_look import Look, Rate, arranged, gpus_of, matches

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.text import Text

    from gigawatt.cli.style import Column
    from gigawatt.sdk.views import EstimateView, ProgressView

BAR_WIDTH = 32
HEAD_LINES = 5
TABLE_LINES = 3  # its title, its names, and an empty line
ROWS_MIN = 2
PLAIN_ROWS = 1_000  # where there is no terminal to be filled
CLASSES_SHOWN = 6
KEYS = "q quit   s sort   r reverse   / filter   ↑ ↓ scroll"


@dataclass(slots=True, kw_only=True)
class Wish:
    """What a person has asked for by keys. `typing` is while a filter is being typed."""

    sort: str = ""
    reverse: bool = False
    words: str = ""
    typing: bool = False
    first: int = 0  # row of jobs to begin with
    fault: str = ""  # why the last look failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table, before it is cut to the room there is."""

    title: str
    columns: Sequence["Column"]
    rows: Sequence[Sequence[str]]
    more: bool = False
    first: int = 0
    empty: str = field(default="")


def picture(
    now: Look, rate: dict[str, Rate], wish: Wish, *, width: int, height: int = 0, keys: bool = False
) -> "Group":
    """Everything; as many lines as `height`, or all of it where that is 0."""
    from rich.console import Group
    from rich.text import Text

    parts = [part for part in _parts(now, rate, wish) if part.rows or part.empty]
    spare = height - HEAD_LINES - TABLE_LINES * len(parts) - bool(keys) if height else 0
    shown: list[RenderableType] = [*_head(now, width), Text("")]
    for part, room in zip(parts, _rooms(parts, spare, fill=not height), strict=True):
        shown += _table(part, room, width)
    if keys:
        shown.append(_foot(wish))
    return Group(*shown)


def _head(now: Look, width: int) -> "list[Text]":
    from rich.text import Text

    fleet = now["fleet"]
    gpus, busy = fleet["gpus"], fleet["busy"]
    bar = min(BAR_WIDTH, max(width - 60, 8))
    good = now["goodput"]
    lines = [
        Text.assemble(
            ("gigawatt  ", "bold"),
            f"{fleet['nodes']:,} nodes  ",
            (f"{fleet['down']:,} down  ", "red" if fleet["down"] else "dim"),
            (f"{fleet['unwell']:,} unwell  ", "yellow" if fleet["unwell"] else "dim"),
            (f"{fleet['watts'] / 1_000:,.1f} kW by gangs" if fleet["watts"] else "", "dim"),
        ),
        Text.assemble(
            ("gpus      ", "dim"),
            (form.bar(busy, gpus, bar).ljust(bar), "green"),
            f"  {busy:,} busy, {fleet['idle']:,} idle, ",
            (f"{fleet['unavailable']:,} take no gangs", "yellow" if fleet["unavailable"] else ""),
            f" of {gpus:,}",
        )
        if gpus
        else Text.assemble(("gpus      ", "dim"), "this site has none"),
        Text.assemble(
            ("goodput   ", "dim"),
            (form.bar(good or 0, 1, bar).ljust(bar), "cyan"),
            "  nothing was held in the last hour"
            if good is None
            else f"  {good:.1%} of what gangs held in the last hour",
        ),
        Text.assemble(("time      ", "dim"), _classes(now)),
    ]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _classes(now: Look) -> str:
    classes, whole = now["ledger"]["classes"], now["ledger"]["installed"]
    largest = sorted(classes.items(), key=lambda each: (-each[1], each[0]))
    told = [
        f"{name.replace('_', ' ')} {form.percent(amount, whole)}"
        for name, amount in largest[:CLASSES_SHOWN]
        if amount > 0
    ]
    return ", ".join(told) or "nothing yet"


def _parts(now: Look, rate: dict[str, Rate], wish: Wish) -> list[Part]:
    return [
        _running(now, wish),
        _waiting(now, wish),
        _endpoints(now, rate, wish),
        _nodes(now, wish),
    ]


def _running(now: Look, wish: Wish) -> Part:
    from gigawatt.cli.style import Column

    jobs = arranged(now["running"], sort=wish.sort, reverse=wish.reverse, words=wish.words)
    rows = [
        [
            job["name"],
            job["phase"],
            job["project"],
            str(job["gang"]["nodes"]),
            form.amount(gpus_of(job)),
            form.age(job["attempts"][-1]["placed_ms"], now["at_ms"]) if job["attempts"] else "",
            _progress(job["progress"]),
            job["id"],
        ]
        for job in jobs
    ]
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="PHASE", phase=True),
        Column(name="PROJECT"),
        Column(name="NODES", right=True),
        Column(name="GPUS", right=True),
        Column(name="FOR", right=True),
        Column(name="PROGRESS", cut=True),
        Column(name="ID", style="dim"),
    ]
    title = f"running {len(jobs):,}{_sorted_by(wish)}"
    more = now["more"]["running"]
    empty = "nothing runs" if not wish.words else "nothing that runs is like that"
    return Part(title=title, columns=columns, rows=rows, more=more, first=wish.first, empty=empty)


def _waiting(now: Look, wish: Wish) -> Part:
    from gigawatt.cli.commands.jobs import why
    from gigawatt.cli.style import Column

    jobs = arranged(now["waiting"], sort=wish.sort, reverse=wish.reverse, words=wish.words)
    rows = [
        [
            "" if job["position"] is None else str(job["position"]),
            job["name"],
            job["project"],
            str(job["gang"]["nodes"]),
            form.amount(gpus_of(job)),
            form.age(job["queued_ms"] or job["created_ms"], now["at_ms"]),
            _starts(job["estimate"], now["at_ms"]),
            why(job),
        ]
        for job in jobs
    ]
    columns = [
        Column(name="LINE", right=True),
        Column(name="NAME", style="bold"),
        Column(name="PROJECT"),
        Column(name="NODES", right=True),
        Column(name="GPUS", right=True),
        Column(name="FOR", right=True),
        Column(name="STARTS"),
        Column(name="WHY", cut=True),
    ]
    title = f"waiting {len(jobs):,}"
    return Part(title=title, columns=columns, rows=rows, more=now["more"]["waiting"])


def _endpoints(now: Look, rate: dict[str, Rate], wish: Wish) -> Part:
    from gigawatt.cli.style import Column

    found = [each for each in now["endpoints"] if matches(wish.words, each)]
    rows = [
        [
            each["name"],
            each["phase"],
            f"{each['replicas']['ready']} of {each['replicas']['wanted']}",
            str(each["queued"]),
            str(each["in_flight"]),
            f"{rate[each['id']].requests:.1f}" if each["id"] in rate else form.NOTHING,
            form.count(rate[each["id"]].tokens) if each["id"] in rate else form.NOTHING,
            each["message"] or each["replicas"]["why"],
        ]
        for each in found
    ]
    columns = [
        Column(name="ENDPOINT", style="bold"),
        Column(name="PHASE", phase=True),
        Column(name="READY"),
        Column(name="QUEUED", right=True),
        Column(name="NOW", right=True),
        Column(name="REQ/S", right=True),
        Column(name="TOKENS/S", right=True),
        Column(name="WHY", cut=True),
    ]
    title = f"endpoints {len(found):,}"
    return Part(title=title, columns=columns, rows=rows, more=now["more"]["endpoints"])


def _nodes(now: Look, wish: Wish) -> Part:
    from gigawatt.cli.style import Column

    found = [each for each in now["nodes"] if matches(wish.words, each)]
    rows = [
        [
            each["id"],
            each["state"],
            form.age(each["changed_ms"], now["at_ms"]),
            str(len(each["gangs"])),
            each["by"],
            each["reason"],
        ]
        for each in found
    ]
    columns = [
        Column(name="NODE", style="bold"),
        Column(name="STATE", phase=True),
        Column(name="FOR", right=True),
        Column(name="GANGS", right=True),
        Column(name="BY"),
        Column(name="REASON", cut=True),
    ]
    title = f"nodes that take no gangs {len(found):,}"
    return Part(title=title, columns=columns, rows=rows, more=now["more"]["nodes"])


def _rooms(parts: Sequence[Part], spare: int, *, fill: bool) -> list[int]:
    """Rows for each table: what it has, or its share of the lines; what one leaves goes to those after it."""
    rooms: list[int] = []
    for place, part in enumerate(parts):
        share = PLAIN_ROWS if fill else max(ROWS_MIN, spare // (len(parts) - place))
        rooms.append(min(share, max(len(part.rows), 1)))
        spare -= rooms[-1]
    return rooms


def _table(part: Part, room: int, width: int) -> "list[RenderableType]":
    from rich.text import Text

    from gigawatt.cli.style import rich_table

    first = min(part.first, max(len(part.rows) - room, 0))
    shown = part.rows[first : first + room]
    hidden = len(part.rows) - len(shown)
    title = Text(part.title, style="bold")
    if hidden or part.more:
        title.append(f"  {hidden}{' or more' if part.more else ''} not shown", style="dim")
    if not shown:
        return [title, Text(part.empty, style="dim"), Text("")]
    return [title, rich_table(part.columns, shown, width=width), Text("")]


def _foot(wish: Wish) -> "Text":
    from rich.text import Text

    if wish.typing:
        return Text.assemble(("filter: ", "bold"), wish.words, ("▏", "cyan"))
    told = f"   showing: {wish.words} (Esc shows all)" if wish.words else ""
    foot = Text(KEYS + told, style="dim")
    if wish.fault:
        foot = Text.assemble((f"{wish.fault}   ", "red"), foot)
    return foot


def _sorted_by(wish: Wish) -> str:
    return f", by {wish.sort}{', reversed' if wish.reverse else ''}" if wish.sort else ""


def _progress(progress: "ProgressView | None") -> str:
    if progress is None:
        return ""
    step, loss, rate = progress["step"], progress["loss"], progress["tokens_per_s"]
    told = [
        f"step {step:,}" if step is not None else "",
        f"loss {form.loss(loss)}" if loss is not None else "",
        f"{form.count(rate)} tokens/s" if rate is not None else "",
    ]
    return ", ".join(each for each in told if each)


def _starts(estimate: "EstimateView | None", now_ms: int) -> str:
    if estimate is None:
        return form.NOTHING
    return form.estimate(estimate["p50"], estimate["p90"], now_ms)
