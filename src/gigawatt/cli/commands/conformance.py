"""`gw conformance`: whether an engine does what every engine must, tried on a real one of its own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.failure import FAILED

if TYPE_CHECKING:
    from gigawatt.engine.conformance import Report

ENGINES = ("local", "ray", "slurm", "twin")
LOG_SIZE = "100MB"


@click.command("conformance")
@click.option("--engine", type=click.Choice(ENGINES), default="local", show_default=True)
@click.option(
    "--shared",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="For ray and slurm: a directory that all nodes see at this path.",
)
@click.option("--partition", default="", help="For slurm: only its nodes; they should be idle.")
@click.option("--case", "cases", multiple=True, metavar="NAME", help="Only this case.")
@click.option(
    "--hostile",
    type=click.Choice(["process", "user", "node"]),
    help="Try what a hostile job would, on the local engine with this class of isolation.",
)
@click.option(
    "--log-size",
    default=LOG_SIZE,
    show_default=True,
    metavar="SIZE",
    help="How much one case has a rank write.",
)
@click.option("--lose-node", "node", default="", metavar="NODE", help="It may be lost, by --lose.")
@click.option(
    "--lose",
    default="",
    metavar="COMMAND",
    help="For ray and slurm: a shell command, run here, by which that node is lost.",
)
@click.option(
    "--restore", default="", metavar="COMMAND", help="And one by which it comes back after that."
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or the report as JSON.",
)
def conformance(output: str, log_size: str, hostile: str | None, **options: Any) -> None:
    """Try an engine against the contract, apart from any running instance; exit 1 if a case fails.

    With slurm it runs jobs of its own on the cluster that sinfo shows here, and takes a few minutes; GIGAWATT_SLURM_REST
    and the others of Slurm hold as for `gw up`. With ray,
    GIGAWATT_RAY_ADDRESS, GIGAWATT_RAY_TOKEN and GIGAWATT_HOST say which cluster, as for `gw up`; without them one is
    started on this machine. No daemon of a cluster is touched but by --lose. The twin's machines need no machine.
    """
    if hostile is not None:
        from gigawatt.cli.commands.conformance_hostile import try_hostile

        if options["engine"] != "local":
            raise click.UsageError("--hostile is for the engine local")
        try_hostile(hostile, options["cases"], output=output)
        return
    from gigawatt.cli.commands.conformance_trial import Trial, carry_out

    trial = Trial(log_size=_size(log_size), **options)
    _check(trial.cases, trial.engine, trial.way)
    if trial.engine == "slurm" and trial.shared is None:
        raise click.UsageError("slurm needs --shared, a directory that all nodes see")
    report = carry_out(trial)
    if output == "json":
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report)
    if not report.passed:
        raise click.exceptions.Exit(FAILED)


def _check(cases: tuple[str, ...], engine: str, way: tuple[str, str, str]) -> None:
    """Raises click.UsageError."""
    from gigawatt.engine.conformance import CASES

    for name in cases:
        if name not in CASES:
            raise click.BadParameter(
                f"{name!r} is not one of {', '.join(CASES)}", param_hint="--case"
            )
    if any(way) and not all(way):
        raise click.UsageError("--lose-node, --lose and --restore go together")
    if any(way) and engine not in {"ray", "slurm"}:
        raise click.UsageError(f"{engine} loses a node of its own, without --lose")
    click.echo(f"{len(cases) or len(CASES)} cases on the engine {engine} …", err=True)


def _size(text: str) -> int:
    """Raises click.BadParameter."""
    from gigawatt.spec.units import UnitError, size_bytes

    try:
        found = size_bytes(text)
    except UnitError as error:
        said = f"{error.detail}; {error.hint}"
        raise click.BadParameter(said, param_hint="--log-size") from error
    if found < 1:
        raise click.BadParameter("is less than a byte", param_hint="--log-size")
    return found


def _show(report: "Report") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="CASE"),
        Column(name="RESULT", phase=True),
        Column(name="EVIDENCE", wraps=True),
    ]
    show_table(columns, [[each.name, each.result, each.evidence] for each in report.cases])
