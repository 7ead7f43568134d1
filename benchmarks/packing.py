"""How full each packing policy gets the GPUs of Alibaba's openb cluster, against what FGD's authors published.

`python -m benchmarks packing` measures every list of pods with the seeds 42 to 51 and writes the whole table to
`benchmarks/results/packing.md`. Seconds are of CPU time, one core.
"""

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.figures import Figure
from benchmarks.traces import absent, found
from gigawatt.scheduler.packing import names
from gigawatt.twin.arrivals import Work, work_of
from gigawatt.twin.openb import read_nodes, read_pods
from gigawatt.twin.pack import Packing, pack

RATIOS = (1.0, 1.3)
SEEDS = tuple(range(42, 52))
PUBLISHED = {
    names.RANDOM: "01-Random",
    names.DOT_PRODUCT: "02-DotProd",
    names.GPU_CLUSTERING: "03-GpuClustering",
    names.GPU_PACKING: "04-GpuPacking",
    names.BEST_FIT: "05-BestFit",
    names.FGD: "06-FGD",
}
REPRODUCED = (names.RANDOM, names.BEST_FIT, names.FGD)
PREFIX = "openb_pod_list_"
TABLE = Path(__file__).parent / "results" / "packing.md"

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One policy on one list: allocation at each of `RATIOS`, the mean of the seeds, and the longest run."""

    percent: Pair
    run_s: float


def run() -> list[Figure]:
    folder = found("openb")
    if folder is None:
        print(f"packing is skipped: {absent('openb')}")
        return []
    published = _published(folder)
    cells: dict[tuple[str, str], Cell] = {}
    lists = dict(_lists(folder))
    for name, work in lists.items():
        for policy in names.POLICIES:
            cells[name, policy] = _measured(work, policy)
            shown = "/".join(f"{each:.2f}" for each in cells[name, policy].percent)
            print(f"  {name:12} {policy:15} {shown}", flush=True)
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("\n".join(_table(tuple(lists), cells, published)) + "\n")
    print(f"table: {TABLE}")
    return [*_ours(tuple(lists), cells, published), *_reproduced(tuple(lists), cells, published)]


def _lists(folder: Path) -> Iterator[tuple[str, Work]]:
    nodes = read_nodes(folder / "openb_node_list_gpu_node.csv.gz")
    for path in sorted(folder.glob(f"{PREFIX}*.csv.gz")):
        name = path.name.removeprefix(PREFIX).removesuffix(".csv.gz")
        yield name, work_of(nodes, read_pods(path))


def _measured(work: Work, policy: str) -> Cell:
    runs: list[Packing] = []
    spans: list[float] = []
    for seed in SEEDS:
        began = time.process_time()
        runs.append(pack(work, policy, RATIOS, seed))
        spans.append(time.process_time() - began)
        assert runs[-1].dropped_feasible == 0
    at_100, at_130 = (mean(each.allocation_percent[ratio] for each in runs) for ratio in RATIOS)
    return Cell(percent=(at_100, at_130), run_s=max(spans))


def _published(folder: Path) -> dict[tuple[str, str], Pair]:
    with (folder / "fgd_atc23_alloc_pct.csv").open(newline="") as file:
        return {
            (row["workload"].removeprefix(PREFIX), row["policy"]): (
                float(row["alloc_at_100_mean"]),
                float(row["alloc_at_130_mean"]),
            )
            for row in csv.DictReader(file)
        }


def _ours(
    lists: tuple[str, ...],
    cells: dict[tuple[str, str], Cell],
    published: dict[tuple[str, str], Pair],
) -> list[Figure]:
    ours = {name: cells[name, names.DEFAULT] for name in lists}
    gains = [
        [ours[name].percent[at] - published[name, PUBLISHED[names.FGD]][at] for name in lists]
        for at in range(len(RATIOS))
    ]
    figures = [
        Figure(
            what=f"packing: ours over FGD as published, at {100 * ratio:g} %, mean of {len(lists)} lists",
            value=mean(gains[at]),
            unit="points",
            goal=(1.2, 0.8)[at],
            at_least=True,
            note=f"least: {min(gains[at]):+.2f} ({lists[gains[at].index(min(gains[at]))]})",
        )
        for at, ratio in enumerate(RATIOS)
    ]
    least = min(min(each) for each in gains)
    longest = max(cell.run_s for cell in ours.values())
    return [
        *figures,
        Figure(what="  least on any list", value=least, unit="points", goal=0, at_least=True),
        Figure(what="  longest run, CPU", value=longest, unit="s", goal=3),
    ]


def _reproduced(
    lists: tuple[str, ...],
    cells: dict[tuple[str, str], Cell],
    published: dict[tuple[str, str], Pair],
) -> list[Figure]:
    return [
        Figure(
            what=f"  {policy}: farthest from what was published",
            value=max(
                abs(ours - theirs)
                for name in lists
                for ours, theirs in zip(
                    cells[name, policy].percent, published[name, label], strict=True
                )
            ),
            unit="points",
            goal=0.5 if policy in REPRODUCED else None,
        )
        for policy, label in PUBLISHED.items()
    ]


def _table(
    lists: tuple[str, ...],
    cells: dict[tuple[str, str], Cell],
    published: dict[tuple[str, str], Pair],
) -> Iterator[str]:
    yield f"| list, at 100 % / 130 % | {' | '.join(names.POLICIES)} |"
    yield f"|---{'|---' * len(names.POLICIES)}|"
    for name in lists:
        shown = [_cell(cells[name, policy].percent) for policy in names.POLICIES]
        yield f"| {name} | {' | '.join(shown)} |"
        theirs = [
            _cell(published[name, PUBLISHED[policy]]) if policy in PUBLISHED else ""
            for policy in names.POLICIES
        ]
        yield f"| – published | {' | '.join(theirs)} |"


def _cell(pair: Pair) -> str:
    return "/".join(f"{each:.2f}" for each in pair)
