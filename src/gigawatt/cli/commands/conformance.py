"""`gw conformance`: whether an engine does what every engine must, tried on a real one of its own."""

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.failure import FAILED

if TYPE_CHECKING:
    from gigawatt.engine.conformance import Report

ENGINES = ("local", "ray", "slurm")
NODES = 2


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
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or the report as JSON.",
)
def conformance(*, engine: str, output: str, hostile: str | None, **given: Any) -> None:
    """Try an engine against the contract, apart from any running instance; exit 1 if a case fails.

    With slurm it runs jobs of its own on the cluster that sinfo shows here, and takes a few minutes; GIGAWATT_SLURM_REST
    and the others of Slurm hold as for `gw up`. With ray,
    GIGAWATT_RAY_ADDRESS, GIGAWATT_RAY_TOKEN and GIGAWATT_HOST say which cluster, as for `gw up`; without them one is
    started on this machine.
    """
    cases: tuple[str, ...] = given["cases"]
    if hostile is not None:
        from gigawatt.cli.commands.conformance_hostile import try_hostile

        if engine != "local":
            raise click.UsageError("--hostile is for the engine local")
        try_hostile(hostile, cases, output=output)
        return
    _conform(engine, cases, given["shared"], given["partition"], output=output)


def _conform(
    engine: str, cases: tuple[str, ...], shared: Path | None, partition: str, *, output: str
) -> None:
    from gigawatt.engine.conformance import CASES

    for name in cases:
        if name not in CASES:
            raise click.BadParameter(
                f"{name!r} is not one of {', '.join(CASES)}", param_hint="--case"
            )
    click.echo(f"{len(cases) or len(CASES)} cases on the engine {engine} …", err=True)
    if engine == "local":
        report = _try_local(cases)
    elif engine == "ray":
        from gigawatt.cli.commands.conformance_ray import try_ray

        report = try_ray(cases, shared)
    elif shared is None:
        raise click.UsageError("slurm needs --shared, a directory that all nodes see")
    else:
        report = _try_slurm(cases, shared, partition)
    if output == "json":
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report)
    if not report.passed:
        raise click.exceptions.Exit(FAILED)


def _try_local(cases: tuple[str, ...]) -> "Report":
    from gigawatt.engine.conformance import run
    from gigawatt.engine.conformance.local import local_faults
    from gigawatt.engine.local import LocalEngine, shut_down_supervisors

    async def tried(data: Path) -> "Report":
        try:
            return await run(
                lambda: LocalEngine(data, nodes=NODES), only=cases, faults=local_faults()
            )
        finally:
            await shut_down_supervisors(data, grace_s=0)

    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        return asyncio.run(tried(Path(directory)))


def _try_slurm(cases: tuple[str, ...], shared: Path, partition: str) -> "Report":
    from gigawatt.engine.conformance import run
    from gigawatt.engine.slurm import SlurmEngine, shut_down_jobs
    from gigawatt.server.slurm import slurm_of, slurm_options
    from gigawatt.settings import from_environment

    settings = from_environment()
    settings = replace(settings, slurm_partition=partition or settings.slurm_partition)
    slurm, options = slurm_of(settings), slurm_options(settings)

    async def tried(data: Path) -> "Report":
        try:
            return await run(
                lambda: SlurmEngine(data, slurm, options=options), only=cases, scratch=data
            )
        finally:
            await shut_down_jobs(data, slurm)

    with tempfile.TemporaryDirectory(prefix="gw-", dir=shared) as directory:
        return asyncio.run(tried(Path(directory)))


def _show(report: "Report") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="CASE"),
        Column(name="RESULT", phase=True),
        Column(name="EVIDENCE", wraps=True),
    ]
    show_table(columns, [[each.name, each.result, each.evidence] for each in report.cases])
