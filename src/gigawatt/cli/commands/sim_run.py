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
PLACEMENT = click.option(
    "--placement",
    default="",
    metavar="NAME",
    help="Which nodes, in place of what the policy says: best, first, fgd, least-waste, …",
)
HTML = click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the report with charts as one page that needs nothing else.",
)


@click.command("run")
@click.argument("scenario", type=click.Path(path_type=Path))
@_CHECK
@_ESTIMATES
@HTML
@_OUTPUT
def run(scenario: Path, check: bool, estimates: bool, html: Path | None, output: str) -> None:
    """Play SCENARIO, a TOML file: a site, a workload, a policy, failures. The same file gives the same report."""
    from gigawatt.cli.commands.sim_report import Pages, show_report
    from gigawatt.twin.scenario import read_scenario

    pages = Pages(html)
    read = read_scenario(scenario, check=check, estimates=estimates)
    shown = pages.measured(read, scenario.name)
    pages.write(f"Twin: {scenario.name}")
    if output == "json":
        click.echo(json.dumps(shown, indent=2))
    else:
        show_report(shown)


@click.command("compare")
@click.argument("scenarios", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="NAME",
    help="Play each scenario under this policy in place of its own; repeatable.",
)
@PLACEMENT
@_CHECK
@_ESTIMATES
@HTML
@_OUTPUT
def compare(
    scenarios: tuple[Path, ...],
    policies: tuple[str, ...],
    html: Path | None,
    output: str,
    **how: Any,
) -> None:
    """Play several SCENARIOS, or one under several policies, and put their reports side by side."""
    from gigawatt.cli.commands.sim_report import Pages, show_compared
    from gigawatt.twin.scenario import read_scenario

    pages = Pages(html)
    reports = {
        _name(scenario, policy): pages.measured(
            read_scenario(scenario, policy=policy, **how), _name(scenario, policy)
        )
        for scenario in scenarios
        for policy in policies or ("",)
    }
    pages.write(f"Twin: {', '.join(reports)}")
    if output == "json":
        click.echo(json.dumps(reports, indent=2))
    else:
        show_compared(reports)


def _name(scenario: Path, policy: str) -> str:
    return f"{scenario} {policy}" if policy else str(scenario)
