"""One measured figure, its goal, and how many are shown."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`value` in `unit`; `goal` is a bound in the same unit, `at_least` tells which way. No goal for peers."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def show(figures: Sequence[Figure], *, out: Path | None) -> None:
    """A table for people; JSON for programs where `out` is given."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "measured", "goal", "", "note", title="gigawatt benchmarks")
    for figure in figures:
        bound = "≥" if figure.at_least else "≤"
        goal = "" if figure.goal is None else f"{bound} {figure.goal:g} {figure.unit}"
        mark = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[figure.met]
        table.add_row(figure.what, f"{figure.value:.4g} {figure.unit}", goal, mark, figure.note)
    Console(width=150).print(table)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(written(figures))
        print(f"JSON: {out}")


def written(figures: Sequence[Figure]) -> str:
    """As JSON, each with whether its goal is met."""
    rows = [{**asdict(figure), "met": figure.met} for figure in figures]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
