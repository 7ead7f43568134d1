"""`gw cancel`: stop jobs for good."""

import click

from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session


@click.command("cancel")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB…", shell_complete=job_names)
@click.option("--wait", is_flag=True, help="Wait until nothing of them runs.")
@with_project
@with_session
def cancel(session: Session, *, jobs: tuple[str, ...], wait: bool) -> None:
    """Stop each JOB; an array with all its tasks, `ARRAY[17]` one of them. Its ranks are asked to end, and after their grace they are made to."""
    views: list[object] = []
    for ref in jobs:
        job = session.client.find(ref).cancel()
        if wait:
            job.wait(check=False)
        views.append(job.view)
        session.say(f"{job.name} {job.id} is {job.phase}")
    if session.as_json:
        session.show_json(views[0] if len(views) == 1 else {"items": views, "next": ""})
