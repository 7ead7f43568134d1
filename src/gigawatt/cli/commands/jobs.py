"""`gw jobs`: the list, and one job with its attempts, ranks and evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli import saved_filters
from gigawatt.cli.complete import job_names
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, pairs, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import AttemptView, JobView, Page

PHASES = (
    "blocked",
    "preparing",
    "queued",
    "starting",
    "running",
    "stopping",
    "saving",
    "succeeded",
    "failed",
    "cancelled",
)
LIMIT = 30
PAGE_MAX = 500


@click.group("jobs", cls=NounGroup)
def jobs() -> None:
    """List jobs, show one, and change labels. `gw jobs` lists the newest, `gw jobs JOB` shows one."""


@jobs.command("show")
@click.argument("job", required=False, shell_complete=job_names)
@click.option(
    "--phase",
    "phases",
    metavar="PHASE",
    multiple=True,
    type=click.Choice(PHASES),
    help="Only jobs in this phase; may be repeated.",
)
@click.option("--name", default="", help="Only jobs of this name.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME[=VALUE]|!NAME",
    help="Only jobs with this label, or without it.",
)
@click.option("--save", default="", metavar="NAME", help="Keep these filters under a name.")
@click.option("--filter", "saved", default="", metavar="NAME", help="Use filters that were saved.")
@click.option("--limit", type=click.IntRange(1, PAGE_MAX), default=LIMIT, show_default=True)
@click.option("--all", "everything", is_flag=True, help="All of them, not only the newest.")
@with_project
@with_session
def show(session: Session, *, job: str | None, **given: Any) -> None:
    """List the newest jobs, or show JOB: a name, an id, or the beginning of one."""
    if job:
        _show_one(session, job)
        return
    wanted = _wanted(**given)
    page = wanted.page(session)
    if session.as_json:
        session.show_json(page)
        return
    _show_list(session, page["items"])
    if not page["items"]:
        session.say("no such jobs" if wanted.narrowed else "no jobs yet: gw run -- COMMAND")
    elif page["next"]:
        session.say(f"the newest {len(page['items'])}; --all for every one")


@jobs.command("label")
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


@jobs.command("filters")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """Which jobs are listed."""

    phases: tuple[str, ...]
    name: str
    labels: tuple[str, ...]
    limit: int
    everything: bool

    @property
    def narrowed(self) -> bool:
        return bool(self.phases or self.name or self.labels)

    def page(self, session: Session) -> "Page[JobView]":
        filters = {"phase": self.phases, "name": self.name, "label": self.labels}
        if not (self.everything or self.labels):
            return session.client.jobs.page(**filters, limit=self.limit)
        if not self.everything:
            more = session.client.jobs.list(**filters, limit=self.limit)
            found = list(islice(more, self.limit + 1))
            return {
                "items": found[: self.limit],
                "next": found[self.limit]["id"] if found[self.limit :] else "",
            }
        from gigawatt.sdk.paging import whole

        return whole(session.client.jobs.page, {**filters, "limit": PAGE_MAX})


def list_row(job: "JobView", now_ms: int) -> list[str]:
    """One line of the list."""
    progress = job["progress"]
    step = progress["step"] if progress else None
    rate = progress["tokens_per_s"] if progress else None
    return [
        job["name"],
        job["id"],
        job["phase"],
        nodes_of(job),
        form.NOTHING if step is None else str(step),
        form.loss(progress["loss"] if progress else None),
        form.NOTHING if rate is None else form.count(rate),
        form.age(job["created_ms"], now_ms),
        why(job),
    ]


def nodes_of(job: "JobView") -> str:
    """How many nodes it asks for or has: `2`, or `1-4` while that is open."""
    attempts = job["attempts"]
    if attempts:
        return str(len(attempts[-1]["nodes"]))
    gang = job["gang"]
    least, most = gang.get("nodes_min", gang["nodes"]), gang["nodes"]
    return str(most) if least == most else f"{least}-{most}"


def why(job: "JobView") -> str:
    """Why it waits, or how it ended; empty where its phase says it all."""
    reason = job["reason"]
    if reason:
        return reason.get("message") or reason["detail"] or reason["code"]
    return "" if job["phase"] == "succeeded" else job["message"]


def exit_of(exit_code: int | None, signal: int | None) -> str:
    """`0`, `1`, `signal 9`, or nothing while it runs."""
    if signal is not None:
        return f"signal {signal}"
    return form.NOTHING if exit_code is None else str(exit_code)


def _wanted(
    *,
    saved: str,
    save: str,
    phases: tuple[str, ...],
    name: str,
    labels: tuple[str, ...],
    **rest: Any,
) -> _Listing:
    """What was asked for, over what was saved. Raises RefusalError, click.BadParameter."""
    _check_terms(labels)
    filters: dict[str, Any] = {"phases": phases, "name": name, "labels": labels}
    if saved:
        filters = saved_filters.load(saved) | {key: each for key, each in filters.items() if each}
    if save:
        saved_filters.save(save, filters)
    return _Listing(
        phases=tuple(filters["phases"]),
        name=filters["name"],
        labels=tuple(filters["labels"]),
        **rest,
    )


def _check_terms(labels: tuple[str, ...]) -> None:
    from gigawatt.spec.label_terms import parse_term
    from gigawatt.spec.units import UnitError

    for each in labels:
        try:
            parse_term(each)
        except UnitError as error:
            said = f"{error.detail}: {error.hint}"
            context = click.get_current_context()
            raise click.BadParameter(said, param_hint="--label", ctx=context) from error


def _show_list(session: Session, items: "Sequence[JobView]") -> None:
    from gigawatt.cli.style import DIM, Column, show_table

    if not items:
        return
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="ID", style=DIM),
        Column(name="PHASE", phase=True),
        Column(name="NODES", right=True),
        Column(name="STEP", right=True),
        Column(name="LOSS", right=True),
        Column(name="TOK/S", right=True),
        Column(name="AGE", right=True),
        Column(name="REASON", cut=True),
    ]
    show_table(columns, [list_row(job, session.now_ms) for job in items])


def _show_one(session: Session, ref: str) -> None:
    job = session.client.job(ref).view
    if session.as_json:
        session.show_json(job)
        return
    from gigawatt.cli.style import show_fields

    show_fields(_fields(job, session.now_ms))
    if job["attempts"]:
        _show_attempts(job["attempts"])
        _show_ranks(job["attempts"][-1])


def _fields(job: "JobView", now_ms: int) -> list[tuple[str, str]]:
    progress, checkpoint, gang = job["progress"], job["checkpoint"], job["gang"]
    ended = job["ended_ms"]
    labels = " ".join(f"{name}={value}" for name, value in sorted(job["labels"].items()))
    fields = [
        ("name", job["name"]),
        ("id", job["id"]),
        ("phase", job["phase"]),
        ("why", why(job)),
        ("position", str(job["position"] or "")),
        ("project", f"{job['tenant']}/{job['project']}"),
        ("command", " ".join(job["command"])),
        ("gang", _gang(gang)),
        ("environment", job["environment"]),
        ("bundle", form.short_digest(job["bundle"]) if job["bundle"] else ""),
        ("after", " ".join(job["after"])),
        ("labels", labels),
        ("made by", _cause(job)),
        ("priority", str(job["priority"] or "")),
        ("age", form.age(job["created_ms"], now_ms)),
        ("took", form.duration(ended - job["created_ms"]) if ended else ""),
    ]
    if progress:
        rate = progress["tokens_per_s"]
        fields += [
            ("step", str(progress["step"] if progress["step"] is not None else "")),
            ("loss", form.loss(progress["loss"]) if progress["loss"] is not None else ""),
            ("tokens/s", form.count(rate) if rate is not None else ""),
        ]
    if checkpoint:
        fields.append(("checkpoint", f"step {checkpoint['step']}, {checkpoint['path']}"))
    return [*fields, ("model", job["model_version"])]


def _cause(job: "JobView") -> str:
    """The schedule and the template that it came from, with the values that were given."""
    cause = job.get("cause")
    if not cause:
        return ""
    values = " ".join(f"{name}={value}" for name, value in cause["parameters"].items())
    template = f"template {cause['template']}@{cause['template_number']}"
    parts = [
        f"schedule {cause['schedule']}" if cause["schedule"] else "",
        template if cause["template"] else "",
        values,
    ]
    return " ".join(part for part in parts if part)


def _gang(gang: dict[str, Any]) -> str:
    least, most = gang.get("nodes_min", gang["nodes"]), gang["nodes"]
    amounts = form.amounts(gang["gpus"], gang["cpus"], gang["memory_bytes"])
    return form.gang(least, most, gang["ranks_per_node"], amounts)


def _show_attempts(attempts: "Sequence[AttemptView]") -> None:
    from gigawatt.cli.style import Column, show_heading, show_table

    show_heading("attempts")
    columns = [
        Column(name="N", right=True),
        Column(name="PHASE", phase=True),
        Column(name="VERDICT"),
        Column(name="NODES"),
        Column(name="RAN", right=True),
        Column(name="EVIDENCE", wraps=True),
    ]
    show_table(columns, [_attempt_row(attempt) for attempt in attempts])


def _attempt_row(attempt: "AttemptView") -> list[str]:
    began, ended = attempt["running_ms"], attempt["ended_ms"]
    facts = attempt["evidence"]
    return [
        str(attempt["n"]),
        attempt["phase"],
        attempt["verdict"] or form.NOTHING,
        " ".join(attempt["nodes"]),
        form.duration(ended - began) if began and ended else form.NOTHING,
        facts[0]["detail"] or facts[0]["what"] if facts else "",
    ]


def _show_ranks(attempt: "AttemptView") -> None:
    from gigawatt.cli.style import Column, show_heading, show_table

    show_heading(f"ranks of attempt {attempt['n']}")
    columns = [
        Column(name="RANK", right=True),
        Column(name="NODE"),
        Column(name="PID", right=True),
        Column(name="EXIT"),
        Column(name="LAST LINE", cut=True),
    ]
    rows = [
        [
            str(rank["rank"]),
            rank["node"],
            form.NOTHING if rank["pid"] is None else str(rank["pid"]),
            exit_of(rank["exit_code"], rank["signal"]),
            rank["last_lines"][-1] if rank["last_lines"] else "",
        ]
        for rank in attempt["ranks"]
    ]
    show_table(columns, rows)
