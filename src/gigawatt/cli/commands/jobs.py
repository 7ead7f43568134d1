"""`gw jobs`: the list, and one job with its attempts, ranks and evidence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gigawatt.cli import format as form
from gigawatt.cli import saved_filters
from gigawatt.cli.commands.arrays import list_row as array_row
from gigawatt.cli.commands.arrays import list_tasks, show_array
from gigawatt.cli.commands.job_labels import check_terms, filters, label
from gigawatt.cli.complete import job_names
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.array_views import ArrayView
    from gigawatt.sdk.views import AttemptView, JobView, Page

V = TypeVar("V", bound="JobView | ArrayView")

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
ARRAY_PHASES = ("blocked", "running", "stopping", "succeeded", "failed", "cancelled")
LIMIT = 30
PAGE_MAX = 500
_NO_JOBS: "Page[JobView]" = {"items": [], "next": ""}


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
@click.option("--arrays", "only_arrays", is_flag=True, help="Only job arrays.")
@with_project
@with_session
def show(session: Session, *, job: str | None, only_arrays: bool, **given: Any) -> None:
    """List the newest jobs, or show JOB: a name, an id, or the beginning of one.

    An array is one line; `gw jobs ARRAY` shows where its tasks stand, `gw jobs ARRAY[17]` one of them.
    """
    wanted = _wanted(**given)
    if job:
        _show_one(session, job, wanted)
        return
    if session.as_json:
        session.show_json(wanted.arrays(session) if only_arrays else wanted.jobs(session))
        return
    arrays, found = wanted.arrays(session), _NO_JOBS if only_arrays else wanted.jobs(session)
    shown = _show_list(session, arrays["items"], found["items"], limit=wanted.limit_or_none)
    if not shown:
        session.say("no such jobs" if wanted.narrowed else "no jobs yet: gw run -- COMMAND")
    elif arrays["next"] or found["next"]:
        session.say(f"the newest {shown}; --all for every one")


jobs.add_command(label)
jobs.add_command(filters)


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

    @property
    def limit_or_none(self) -> int | None:
        return None if self.everything else self.limit

    def arrays(self, session: Session) -> "Page[ArrayView]":
        return self.page(session.client.arrays.page, phases=ARRAY_PHASES)

    def jobs(self, session: Session) -> "Page[JobView]":
        return self.page(session.client.jobs.page)

    def page(
        self, pages: "Callable[..., Page[V]]", *, phases: tuple[str, ...] = PHASES
    ) -> "Page[V]":
        """Of what `pages` lists and can be in `phases`."""
        from gigawatt.sdk.paging import Listing, whole

        chosen = tuple(phase for phase in self.phases if phase in phases)
        if self.phases and not chosen:
            return {"items": [], "next": ""}
        filters = {"phase": chosen, "name": self.name, "label": self.labels}
        if not (self.everything or self.labels):
            return pages(**filters, limit=self.limit)
        if not self.everything:
            more = Listing(pages, {**filters, "limit": self.limit})
            found = list(islice(more, self.limit + 1))
            return {
                "items": found[: self.limit],
                "next": found[self.limit]["id"] if found[self.limit :] else "",
            }
        return whole(pages, {**filters, "limit": PAGE_MAX})


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
    return "" if job["phase"] == "succeeded" else " ".join(job["message"].split())


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
    check_terms(labels)
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


def _show_list(
    session: Session,
    arrays: "Sequence[ArrayView]",
    jobs: "Sequence[JobView]",
    *,
    limit: int | None,
) -> int:
    """Both in one list, newest first, an array on one line; how many lines."""
    from gigawatt.cli.style import DIM, Column, show_table

    rows = [(array["created_ms"], array_row(array, session.now_ms)) for array in arrays]
    rows += [(job["created_ms"], list_row(job, session.now_ms)) for job in jobs]
    rows = sorted(rows, key=itemgetter(0), reverse=True)[:limit]
    if not rows:
        return 0
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
    starts = {job["id"]: _starts(job, session.now_ms) for job in jobs if job["estimate"]}
    if starts:
        columns.insert(-1, Column(name="STARTS", right=True))
        for _, row in rows:
            row.insert(-1, starts.get(row[1], ""))
    show_table(columns, [row for _, row in rows])
    return len(rows)


def _starts(job: "JobView", now_ms: int) -> str:
    """As likely as not, and nine times of ten: `3m..20m`."""
    estimate = job["estimate"]
    if estimate is None:
        return ""
    times = (estimate["p50"], estimate["p90"])
    return "..".join(form.age(now_ms, at_ms) for at_ms in times)


def _show_one(session: Session, ref: str, wanted: _Listing) -> None:
    from gigawatt.sdk.arrays import JobArray

    found = session.client.find(ref)
    if isinstance(found, JobArray):
        if wanted.phases or wanted.everything:
            list_tasks(session, found, wanted.page(found.page))
        else:
            show_array(session, found)
        return
    job = found.view
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
    ended, estimate = job["ended_ms"], job["estimate"]
    labels = " ".join(f"{name}={value}" for name, value in sorted(job["labels"].items()))
    fields = [
        ("name", job["name"]),
        ("id", job["id"]),
        ("phase", job["phase"]),
        ("why", why(job)),
        ("position", str(job["position"] or "")),
        ("starts", form.estimate(estimate["p50"], estimate["p90"], now_ms) if estimate else ""),
        ("project", f"{job['tenant']}/{job['project']}"),
        ("command", " ".join(job["command"])),
        ("gang", _gang(gang)),
        ("environment", job["environment"]),
        ("bundle", form.short_digest(job["bundle"]) if job["bundle"] else ""),
        ("volumes", form.mounts(job["volumes"])),
        ("after", " ".join(job["after"])),
        ("labels", labels),
        ("made by", form.made_by(job.get("cause"))),
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


def _gang(gang: dict[str, Any]) -> str:
    least, most = gang.get("nodes_min", gang["nodes"]), gang["nodes"]
    amounts = form.amounts(gang["gpus"], gang["cpus"], gang["memory_bytes"])
    return form.gang(least, most, gang["ranks_per_node"], amounts, gang["spares"])


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
        " ".join([*attempt["nodes"], *(f"({node} spare)" for node in attempt["spares"])]),
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
