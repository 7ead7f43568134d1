"""`gw sim pack`: how full a packing policy gets a cluster's GPUs."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.scheduler.packing import names

if TYPE_CHECKING:
    from gigawatt.twin.pack import Packing

SEED = 42
SEEDS_MAX = 1000
RATIO_MAX = 10.0
PLACEMENT_COLUMNS = ("pod", "node", "gpus", "arrival")


class Ratios(click.ParamType[tuple[float, ...]]):
    """`1.0,1.3`: numbers above 0."""

    name = "ratios"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        try:
            ratios = tuple(sorted({float(each) for each in str(value).split(",")}))
        except ValueError:
            ratios = ()
        if not ratios or not all(0 < each <= RATIO_MAX for each in ratios):
            self.fail(f"{value!r}: give numbers from 0 to {RATIO_MAX:g}, such as 1.0,1.3")
        return ratios


class Seeds(click.ParamType[tuple[int, ...]]):
    """`42-51`, or `42,43`."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        seeds: list[int] = []
        try:
            for part in str(value).split(","):
                first, _, last = part.partition("-")
                seeds += range(int(first), int(last or first) + 1)[: SEEDS_MAX + 1]
        except ValueError:
            seeds = []
        if not 0 < len(seeds) <= SEEDS_MAX:
            self.fail(f"{value!r}: give a range or a list of at most {SEEDS_MAX}, such as 42-51")
        return tuple(dict.fromkeys(seeds))


@click.command("pack")
@click.option("--nodes", type=click.Path(path_type=Path), required=True, help="Nodes: .csv or .gz.")
@click.option("--pods", type=click.Path(path_type=Path), required=True, help="Pods: .csv or .gz.")
@click.option(
    "--policy",
    type=click.Choice(names.POLICIES),
    default=names.DEFAULT,
    show_default=True,
    help="Which node and GPU each pod gets.",
)
@click.option(
    "--ratio",
    "ratios",
    type=Ratios(),
    default="1.0,1.3",
    show_default=True,
    help="Measure when so much of the GPUs there are has been asked for.",
)
@click.option("--seed", type=click.IntRange(0), help=f"Of the order of arrival.  [default: {SEED}]")
@click.option("--seeds", type=Seeds(), help="Several runs, and their mean: 42-51.")
@click.option(
    "--placements", type=click.Path(path_type=Path), help="Write which pod got which node and GPUs."
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the runs as one page that needs nothing else.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or JSON.",
)
def pack(nodes: Path, pods: Path, placements: Path | None, output: str, **given: Any) -> None:
    """Place the pods of a list on the nodes of another, one at a time, and print how full the GPUs get.

    Both lists are as in Alibaba's cluster-trace-gpu-v2023. Pods come in a random order, each that fits anywhere is placed
    when it comes, and none is ever moved.
    """
    from gigawatt.twin.arrivals import work_of
    from gigawatt.twin.openb import read_nodes, read_pods
    from gigawatt.twin.pack import pack as replay
    from gigawatt.twin.pack_page import looks, pack_page

    seeds = _seeds(given["seed"], given["seeds"], placements)
    work = work_of(read_nodes(nodes), read_pods(pods))
    ratios = given["ratios"]
    at = ratios if given["html"] is None else looks(ratios)
    looked = [replay(work, given["policy"], at, seed) for seed in seeds]
    if given["html"] is not None:
        title = f"Packing: {pods.name} on {nodes.name}"
        _write_page(given["html"], pack_page(looked, ratios, title=title))
    runs = [_only(run, ratios) for run in looked]
    if placements is not None:
        _write(placements, runs[0])
    if output == "json":
        click.echo(json.dumps(_report(runs), indent=2))
    else:
        _show(runs)


def _seeds(
    seed: int | None, seeds: tuple[int, ...] | None, placements: Path | None
) -> tuple[int, ...]:
    if seed is not None and seeds is not None:
        raise click.UsageError("--seed and --seeds exclude each other")
    if seeds is None:
        return (SEED if seed is None else seed,)
    if placements is not None and len(seeds) > 1:
        raise click.UsageError("--placements are of one run: give one --seed")
    return seeds


def _write_page(path: Path, page: str) -> None:
    """Raises RefusalError."""
    from gigawatt.model.refusal import RefusalCode, RefusalError

    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        detail = f"cannot write {path}: {error.strerror}"
        raise RefusalError(RefusalCode.INVALID, detail, field="html") from error
    click.echo(f"wrote {path}", err=True)


def _only(run: "Packing", ratios: Sequence[float]) -> "Packing":
    return replace(run, allocation_percent={each: run.allocation_percent[each] for each in ratios})


def _report(runs: "Sequence[Packing]") -> dict[str, Any]:
    """One run as it is; of several, the mean allocation and the sums of the counts, with the runs."""
    if len(runs) == 1:
        return _told(runs[0])
    shown = [_told(run) for run in runs]
    counts = ("arrived", "placed", "dropped", "dropped_feasible")
    return {
        "policy": runs[0].policy,
        "seeds": [run.seed for run in runs],
        "allocation_percent": _mean(runs),
        **{count: sum(each[count] for each in shown) for count in counts},
        "runs": shown,
    }


def _told(run: "Packing") -> dict[str, Any]:
    return {
        "policy": run.policy,
        "seed": run.seed,
        "allocation_percent": {str(r): percent for r, percent in run.allocation_percent.items()},
        "arrived": run.arrived,
        "placed": run.placed,
        "dropped": run.arrived - run.placed,
        "dropped_feasible": run.dropped_feasible,
        "placements_sha256": run.placements_sha256,
    }


def _mean(runs: "Sequence[Packing]") -> dict[str, float]:
    ratios = runs[0].allocation_percent
    return {
        str(r): round(sum(run.allocation_percent[r] for run in runs) / len(runs), 4) for r in ratios
    }


def _show(runs: "Sequence[Packing]") -> None:
    from gigawatt.cli.style import Column, show_table

    ratios = list(runs[0].allocation_percent)
    columns = [Column(name="POLICY"), Column(name="SEED", right=True)]
    columns += [Column(name=f"AT {100 * r:g} %", right=True) for r in ratios]
    columns += [Column(name=name, right=True) for name in ("ARRIVED", "PLACED", "DROPPED")]
    rows = [_row(run) for run in runs]
    if len(runs) > 1:
        means = [f"{percent:.2f} %" for percent in _mean(runs).values()]
        rows.append([runs[0].policy, "mean", *means, "", "", ""])
    show_table(columns, rows)


def _row(run: "Packing") -> list[str]:
    percents = [f"{percent:.2f} %" for percent in run.allocation_percent.values()]
    counts = (run.arrived, run.placed, run.arrived - run.placed)
    return [run.policy, str(run.seed), *percents, *map(str, counts)]


def _write(path: Path, run: "Packing") -> None:
    """Raises RefusalError."""
    from gigawatt.model.refusal import RefusalCode, RefusalError

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PLACEMENT_COLUMNS)
    writer.writerows(each.fields() for each in run.placements)
    data = text.getvalue().encode()
    try:
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    except OSError as error:
        detail = f"cannot write {path}: {error.strerror}"
        raise RefusalError(RefusalCode.INVALID, detail, field="placements") from error
