"""A page of what the scheduler and the twin come to, from what their benchmarks have last written and from nothing else.

`python -m benchmarks results` writes it anew. A benchmark that was not run since is there with what it came to then, and with
the day; one that was never run here is left out.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, written

KEPT = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "concepts" / "results.md"
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

What the scheduler and the twin came to when `python -m benchmarks twin philly scale reclaim packing estimates learned changes` was last run where this page
was made; `python -m benchmarks results` makes it anew from what these have written. Rates and times are of CPU time on one core of a machine that had
other work as well, unless a note says otherwise. Traces are public ones, which are not part of the project.
"""


def keep(name: str, figures: Sequence[Figure], folder: Path = KEPT) -> None:
    """Keep what a benchmark has come to."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(written(figures))


def write(folder: Path = KEPT, page: Path = PAGE) -> Path:
    """Write the page anew; where it is."""
    page.write_text("\n".join([OPENING, *_sections(folder)]) + "\n")
    return page


def _sections(folder: Path) -> Iterator[str]:
    for name, title in SHOWN.items():
        file = folder / f"{name}.json"
        if not file.exists():
            continue
        rows: list[dict[str, Any]] = json.loads(file.read_text())
        if not rows:
            continue
        day = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).date()
        yield f"## {title}\n\nMeasured {day}.\n"
        yield "| figure | measured | goal | met | note |\n|---|---:|---:|---|---|"
        yield "\n".join(map(_row, rows))
        yield ""


def _row(row: dict[str, Any]) -> str:
    bound = "≥" if row["at_least"] else "≤"
    goal = "" if row["goal"] is None else f"{bound} {row['goal']:,g} {row['unit']}"
    met = {None: "", True: "yes", False: "no"}[row["met"]]
    what, note = (str(row[field]).strip().replace("|", "\\|") for field in ("what", "note"))
    return f"| {what} | {row['value']:,.4g} {row['unit']} | {goal} | {met} | {note} |"
