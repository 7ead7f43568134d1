"""`gw sim run` and `gw sim compare`: scenario files, played and put side by side."""

import json
from pathlib import Path
from typing import Any

import click

_CHECK = click.option(
    "--check/--no-check", default=True, help="Check at every event that nothing is given twice."
)
_ESTIMATES = click.option(
    "--estimates/--no-estimates",
    default=True,
    help="Say when what waits will start, and keep score; a tenth of the work of deciding.",
)
_OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or the report as JSON.",
)


@click.command("run")
@click.argument("scenario", type=click.Path(path_type=Path))
@_CHECK
@_ESTIMATES
@_OUTPUT
def run(scenario: Path, check: bool, estimates: bool, output: str) -> None:
    """Play SCENARIO, a TOML file: a site, a workload, a policy, failures. The same file gives the same report."""
    from gigawatt.cli.commands.sim_report import show_report

    shown = _played(scenario, check=check, estimates=estimates)
    if output == "json":
        click.echo(json.dumps(shown, indent=2))
    else:
        show_report(shown)


@click.command("compare")
@click.argument("scenarios", type=click.Path(path_type=Path), nargs=-1, required=True)
@_CHECK
@_ESTIMATES
@_OUTPUT
def compare(scenarios: tuple[Path, ...], check: bool, estimates: bool, output: str) -> None:
    """Play several SCENARIOS and put their reports side by side."""
    from gigawatt.cli.commands.sim_report import show_compared

    reports = {
        str(scenario): _played(scenario, check=check, estimates=estimates) for scenario in scenarios
    }
    if output == "json":
        click.echo(json.dumps(reports, indent=2))
    else:
        show_compared(reports)


def _played(scenario: Path, *, check: bool, estimates: bool) -> dict[str, Any]:
    from gigawatt.cli.commands.sim_report import measured
    from gigawatt.twin.scenario import read_scenario

    return measured(read_scenario(scenario, check=check, estimates=estimates))
