"""`gw retry`: run ended jobs again."""

import click

from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session


@click.command("retry")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB…", shell_complete=job_names)
@with_project
@with_session
def retry(session: Session, *, jobs: tuple[str, ...]) -> None:
    """Put each JOB that failed or was cancelled back in the line, from its last checkpoint.

    Of an array, the tasks that failed or were cancelled run again.
    """
    views: list[object] = []
    for ref in jobs:
        job = session.client.find(ref).retry()
        views.append(job.view)
        session.say(f"{job.name} {job.id} is {job.phase}: `gw watch {job.name}`")
    if session.as_json:
        session.show_json(views[0] if len(views) == 1 else {"items": views, "next": ""})
