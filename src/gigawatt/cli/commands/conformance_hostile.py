"""`gw conformance --hostile CLASS`: whether this machine holds a hostile job, as the docs say it does."""

import asyncio
import json

import click

from gigawatt.cli.failure import FAILED


def try_hostile(kind: str, names: tuple[str, ...], *, output: str) -> None:
    """Run the attacks and show what came of them; exit 1 where one did not end as it is written."""
    from gigawatt.engine.conformance.report import UnsupportedError
    from gigawatt.model.gang import Isolation
    from gigawatt.server.hostile import ATTACKS, run

    known = [each.name for each in ATTACKS]
    for name in names:
        if name not in known:
            raise click.BadParameter(
                f"{name!r} is not one of {', '.join(known)}", param_hint="--case"
            )
    click.echo(f"attacks on the class {kind} …", err=True)
    try:
        report = asyncio.run(run(Isolation(kind), only=names))
    except UnsupportedError as error:
        raise click.UsageError(f"{error}; install bubblewrap, or run this as root") from None
    if output == "json":
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show([[each.name, each.result, each.evidence] for each in report.outcomes])
    if not report.passed:
        raise click.exceptions.Exit(FAILED)


def _show(rows: list[list[str]]) -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="ATTACK"),
        Column(name="RESULT", phase=True),
        Column(name="EVIDENCE", wraps=True),
    ]
    show_table(columns, rows)
