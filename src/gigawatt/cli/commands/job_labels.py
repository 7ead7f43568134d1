"""`gw jobs label` and `gw jobs filters`: labels that are changed, and what jobs are found by again."""

import click

from gigawatt.cli import saved_filters
from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, pairs, with_project, with_session


@click.command("label")
@click.argument("job", shell_complete=job_names)
@click.argument("labels", nargs=-1, required=True, metavar="NAME=VALUE|NAME-…")
@with_project
@with_session
def label(session: Session, *, job: str, labels: tuple[str, ...]) -> None:
    """Give JOB labels, also when it runs or has ended; `NAME-` takes one away."""
    remove = [each[:-1] for each in labels if each.endswith("-") and "=" not in each]
    put = pairs(tuple(each for each in labels if each[:-1] not in remove), "LABEL")
    view = session.client.jobs.label(job, put, remove=remove)
    if session.as_json:
        session.show_json(view)
        return
    said = " ".join(f"{name}={value}" for name, value in sorted(view["labels"].items()))
    session.say(f"{view['name']} has {said or 'no labels'}")


@click.command("filters")
@click.option("--remove", default="", metavar="NAME", help="Forget the filters of this name.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
def filters(*, remove: str, output: str) -> None:
    """List filters that were saved with `gw jobs … --save NAME`; `gw jobs --filter NAME` uses them."""
    import json

    if remove:
        saved_filters.remove(remove)
        return
    kept = saved_filters.every()
    if output == "json":
        click.echo(json.dumps(kept, indent=2, ensure_ascii=False))
    for name, saved in sorted(kept.items() if output == "table" else ()):
        click.echo(f"{name}: gw jobs {saved_filters.options(saved)}")


def check_terms(labels: tuple[str, ...]) -> None:
    """Raises click.BadParameter for what is no filter by label."""
    from gigawatt.spec.label_terms import parse_term
    from gigawatt.spec.units import UnitError

    for each in labels:
        try:
            parse_term(each)
        except UnitError as error:
            said = f"{error.detail}: {error.hint}"
            context = click.get_current_context()
            raise click.BadParameter(said, param_hint="--label", ctx=context) from error
