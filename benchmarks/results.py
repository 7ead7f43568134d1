"""A page of what the scheduler and the twin come to, from what their benchmarks have last written.

`python -m benchmarks results` writes it anew. What was not measured here since the page was written stays on it as it
was, with its day; so a checkout in which one benchmark was run takes nothing away. One that was never run is left out.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, written

KEPT = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "concepts" / "results.md"
MEASURED = re.compile(r"^Measured (\d{4}-\d\d-\d\d)\.$", re.MULTILINE)
SHOWN = {
    "twin": "The twin on public traces",
    "philly": "Philly under shares of virtual clusters",
    "scale": "A site of three gigawatts",
    "reclaim": "Reclaiming",
    "packing": "Packing",
    "estimates": "Estimates",
    "learned": "Backfilling by learned durations",
    "changes": "Cheapest changes",
}
OPENING = """# Results

What the scheduler and the twin came to when `python -m benchmarks twin philly scale reclaim packing estimates learned changes` was last run;
`python -m benchmarks results` writes this page from that. Each part says when it was measured, by the code of that day: what has changed since is
not in it. What was not measured is not here. Rates and times are of CPU time on one core of a machine that had other work as well, unless a note
says otherwise. Traces are public ones, which are not part of the project.
"""


def keep(name: str, figures: Sequence[Figure], folder: Path = KEPT) -> None:
    """Keep what a benchmark has come to."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(written(figures))


def write(folder: Path = KEPT, page: Path = PAGE) -> Path:
    """Write the page anew; where it is."""
    before = _parts(page.read_text()) if page.exists() else {}
    parts = (
        _newer(before.get(title), _part(folder / f"{name}.json", title))
        for name, title in SHOWN.items()
    )
    page.write_text("\n".join([OPENING, *(each for each in parts if each)]))
    return page


def _parts(text: str) -> dict[str, str]:
    """What a page has below each title, with the title."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {each.partition("\n")[0].removeprefix("## "): each.rstrip("\n") + "\n" for each in parts}


def _part(file: Path, title: str) -> str | None:
    if not file.exists():
        return None
    rows: list[dict[str, Any]] = json.loads(file.read_text())
    if not rows:
        return None
    day = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).date()
    head = f"## {title}\n\nMeasured {day}.\n\n| figure | measured | goal | met | note |\n|---|---:|---:|---|---|"
    return "\n".join([head, *map(_row, rows)]) + "\n"


def _newer(before: str | None, now: str | None) -> str | None:
    """The part that was measured later; of one day, what was measured here."""
    if before is None or now is None:
        return before or now
    return before if _day(before) > _day(now) else now


def _day(part: str) -> str:
    found = MEASURED.search(part)
    return found[1] if found else ""


def _row(row: dict[str, Any]) -> str:
    bound = "≥" if row["at_least"] else "≤"
    goal = "" if row["goal"] is None else f"{bound} {row['goal']:,g} {row['unit']}"
    met = {None: "", True: "yes", False: "no"}[row["met"]]
    what, note = (str(row[field]).strip().replace("|", "\\|") for field in ("what", "note"))
    return f"| {what} | {row['value']:,.4g} {row['unit']} | {goal} | {met} | {note} |"
