"""`gw checkpoints`: what a job has saved, and whether it still is what it was."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.complete import job_names
from gigawatt.cli.failure import FAILED
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.checkpoint_views import CheckpointRecordView, VerifiedView

DIGEST_CHARS = 12


@click.group("checkpoints")
def checkpoints() -> None:
    """List and verify the checkpoints of a job."""


@checkpoints.command("list")
@click.argument("job", metavar="JOB", shell_complete=job_names)
@with_project
@with_session
def list_checkpoints(session: Session, *, job: str) -> None:
    """List what JOB has saved, newest first. `*` marks the one that its next attempt resumes from."""
    found = session.client.job(job)
    items = found.checkpoints()
    if session.as_json:
        session.show_json({"items": items, "next": ""})
    elif items:
        _show(session, items)
    else:
        session.say(f"{found.name} has no checkpoint: its program says gw.checkpoint(...)")


@checkpoints.command("verify")
@click.argument("job", metavar="JOB", shell_complete=job_names)
@click.option("--step", type=click.IntRange(min=0), help="Only those of this step.")
@with_project
@with_session
def verify(session: Session, *, job: str, step: int | None) -> None:
    """Read JOB's checkpoints where they are and compare with what was reported. Exit 1 if one is not valid."""
    found = session.client.job(job)
    there = [each["step"] for each in found.checkpoints() if each["state"] != "removing"]
    steps = [step] if step is not None else list(dict.fromkeys(there))
    items: list[VerifiedView] = []
    for each in steps:
        verified = found.verify_checkpoints(each)
        items += verified
        for one in () if session.as_json else verified:
            click.echo(_line(one))
    if session.as_json:
        session.show_json({"items": items, "next": ""})
    elif not items:
        session.say(f"{found.name} has no checkpoint to verify")
    if not all(each["valid"] for each in items):
        raise click.exceptions.Exit(FAILED)


def _show(session: Session, items: "list[CheckpointRecordView]") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="STEP", right=True),
        Column(name="STATE", phase=True),
        Column(name="ATTEMPT", right=True),
        Column(name="SIZE", right=True),
        Column(name="FILES", right=True),
        Column(name="AGE", right=True),
        Column(name="DIGEST"),
        Column(name="METRICS"),
        Column(name="PATH", wraps=True),
    ]
    show_table(columns, [_row(each, session.now_ms) for each in items])
    for each in items:
        if each["why"]:
            session.say(f"step {each['step']}: {each['why']}")


def _row(each: "CheckpointRecordView", now_ms: int) -> list[str]:
    metrics = " ".join(f"{name}={value:g}" for name, value in each["metrics"].items())
    return [
        f"{'*' if each['newest'] else ''}{each['step']}",
        each["state"],
        str(each["attempt"]) if each["attempt"] else "",
        form.size(each["size_bytes"]) if each["files"] else "",
        str(each["files"]) if each["files"] else "",
        form.age(each["at_ms"], now_ms),
        _short(each["digest"]),
        metrics,
        each["path"],
    ]


def _line(one: "VerifiedView") -> str:
    said = f"valid {_short(one['digest'])}".rstrip() if one["valid"] else f"invalid: {one['fault']}"
    return f"step {one['step']}  {form.size(one['size_bytes'])}  {said}  {one['path']}"


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:DIGEST_CHARS]
