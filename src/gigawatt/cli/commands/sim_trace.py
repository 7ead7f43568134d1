"""`gw sim trace`: a workload that happened, played through a policy."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.commands.sim_run import HTML, PLACEMENT

if TYPE_CHECKING:
    from gigawatt.twin.traces.trace import Trace

FORMATS = ("swf", "philly", "openb", "csv", "journal")


@click.command("trace")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(FORMATS), required=True, help="Of FILE.")
@click.option(
    "--cluster",
    required=True,
    metavar="NxM[xMEMORY]|FILE",
    help="N nodes of M cores (of M GPUs, where the trace asks for GPUs), a TOML file of [[nodes]], "
    "or openb's CSV of nodes.",
)
@click.option(
    "--policy",
    default="default",
    metavar="NAME",
    help="What decides, by name: default, fifo, easy, levels, fgd, …",
)
@PLACEMENT
@click.option("--jobs", type=click.IntRange(min=0), default=0, help="Only the first; 0 is all.")
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Of a CSV: at, run, limit, gpus, cpus, memory, nodes, project; repeatable.",
)
@click.option(
    "--check/--no-check", default=True, help="Check at every event that nothing is given twice."
)
@HTML
@click.option(
    "--estimates/--no-estimates",
    default=True,
    help="Say when what waits will start, and keep score; a tenth of the work of deciding.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or the report as JSON.",
)
def trace(file: Path, cluster: str, policy: str, output: str, **options: Any) -> None:
    """Play the jobs in FILE through the production scheduling cycle, in virtual time.

    Nothing is run. The same file, cluster and policy give the same report, byte for byte: `report_sha256` is of
    everything in it that is not measured.
    """
    from gigawatt.cli.commands.sim_report import Pages, show_report
    from gigawatt.twin.cluster import read_cluster
    from gigawatt.twin.named import named_policy
    from gigawatt.twin.run import Scenario

    format_, pairs = options["format_"], options["pairs"]
    by_gpu = format_ in {"philly", "openb", "journal"} or (
        format_ == "csv" and any(p.startswith("gpus=") for p in pairs)
    )
    chosen = named_policy(policy, options["placement"])
    nodes = read_cluster(cluster, gpus=by_gpu)
    node_gpus = max(len(node.gpus) for node in nodes)
    work = _read(file, format_, pairs, node_gpus, options["jobs"])
    scenario = Scenario(
        nodes=nodes,
        workload=work.works,
        policy=chosen.policy,
        policy_name=chosen.name,
        check=options["check"],
        estimates=options["estimates"],
    )
    pages = Pages(options["html"])
    shown = pages.measured(scenario, f"{file.name} {chosen.name}")
    pages.write(f"Twin: {file.name}")
    shown["jobs_skipped"] = work.skipped
    if output == "json":
        click.echo(json.dumps(shown, indent=2))
    else:
        show_report(shown)


def _read(
    file: Path, format_: str, pairs: tuple[str, ...], node_gpus: int, jobs_max: int
) -> "Trace":
    """Raises RefusalError."""
    from gigawatt.twin.traces.journal import read_journal
    from gigawatt.twin.traces.openb import read_openb
    from gigawatt.twin.traces.swf import read_swf
    from gigawatt.twin.traces.table import PHILLY, Mapped, mapping_of, read_table

    if format_ == "swf":
        return read_swf(file, jobs_max=jobs_max)
    if format_ == "journal":
        return read_journal(file, jobs_max=jobs_max)
    if format_ == "openb":
        return read_openb(file, jobs_max=jobs_max)
    columns = PHILLY if format_ == "philly" else mapping_of(pairs)
    return read_table(file, Mapped(columns=columns, node_gpus=node_gpus), jobs_max=jobs_max)
