"""A job: where its time went, why it waits or how it failed, what it says; stop, retry, clone and compare it."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gigawatt import clock
from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.timeline import STAGES, timeline
from gigawatt.console.visit import Shell, Visit, Visiting, allowed
from gigawatt.model.environment import HOST
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.comparison import Side, compared
from gigawatt.service import (
    arrays,
    checkpoints,
    costs,
    environments,
    explain,
    jobs,
    ledger,
    logs,
    queue,
)
from gigawatt.service.costs import CostFilter
from gigawatt.service.logs import LogRange
from gigawatt.service.lookup import REFERENCE_CHARS_MAX, Filters
from gigawatt.service.permissions import may
from gigawatt.service.views.arrays import ArrayView
from gigawatt.service.views.explain import ExplanationView
from gigawatt.service.views.jobs import JobView
from gigawatt.service.views.money import CostView
from gigawatt.service.views.text import to_json
from gigawatt.spec.parse import parse_job

PAGE = Page(name="jobs")
LIVE = ("job.", "array.")
REFRESH_S = 1  # progress is no event
SHORT_LINE = 100  # jobs
TAIL_BYTES = 65_536
TAIL_LINES = 200
RANKS_SHOWN_MAX = 64
TASKS_SHOWN_MAX = 200
NEWEST_SHOWN = 8  # jobs to compare with
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
NUMBERS = ("gpus", "cpus", "priority", "timeout")

Reference = Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)]
Rank = Annotated[int, Field(ge=0, le=1_000_000)]


class JobQuery(BaseModel):
    """Whether a job in a long line is explained, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    why: bool = False


class LogsQuery(BaseModel):
    """Whose output."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    attempt: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rank: Rank = 0
    stream: Literal["stdout", "stderr"] = "stdout"


class CompareQuery(BaseModel):
    """The other job: `to` is its id or name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    to: Reference = ""


@PAGE.shows("/jobs/{job}")
async def show_job(visit: Visiting, job: str, query: Annotated[JobQuery, Query()]) -> Response:
    """What it does, did, or waits for. An array has its tasks instead."""
    view = await _found(visit, job)
    if isinstance(view, ArrayView):
        return await _array_page(visit, view)
    caller, services = visit.caller, visit.services
    goodput = await ledger.of_job(caller, services, view.id)
    saved = await checkpoints.page(caller, services, view.id)
    first_steps = {each.n: each.first_step_ms for each in goodput.attempts}
    going = view.ended_ms is None
    return visit.page(
        "job/index.html",
        shell=Shell(
            title=view.name,
            entry="jobs",
            live=LIVE if going else ("job.",),
            every_s=REFRESH_S if going else 0,
            scripts=("vendor/uPlot.iife.min.js", "job-charts.js") if going else (),
            styles=("vendor/uPlot.min.css", "job.css"),
        ),
        job=view,
        told=await _explained(visit, view, asked=query.why),
        goodput=goodput,
        spent={name: amount for name, amount in goodput.classes.items() if amount},
        line=timeline(view, first_steps, clock.now_ms()),
        stages=STAGES,
        saved=saved.items,
        ranks=_ranks(view),
        writes=may(visit.caller, "jobs.cancel"),
    )


@PAGE.shows("/jobs/{job}/logs")
async def show_logs(visit: Visiting, job: str, query: Annotated[LogsQuery, Query()]) -> Response:
    """What a rank wrote: all of it where there is a script, else its last lines."""
    view = await jobs.show(visit.caller, visit.services, job)
    attempt = query.attempt or (len(view.attempts) and view.attempts[-1].n) or None
    wanted = LogRange(
        attempt=attempt, rank=query.rank, stream=query.stream, offset=-TAIL_BYTES, follow=False
    )
    found = await logs.of_job(visit.caller, visit.services, view.id, wanted)
    tail = b"".join([each async for each in found.chunks])
    lines = ANSI.sub("", tail.decode(errors="replace")).splitlines()
    cut = found.offset > 0 or len(lines) > TAIL_LINES
    return visit.page(
        "job/logs.html",
        shell=Shell(
            title=f"Logs of {view.name}",
            entry="jobs",
            wide=True,
            scripts=("log-view.js",),
            styles=("job.css",),
        ),
        job=view,
        attempt=attempt,
        given=query,
        lines=lines[-TAIL_LINES:],
        cut=cut,
        ranks_max=view.gang.nodes * view.gang.ranks_per_node,
        writes=may(visit.caller, "jobs.cancel"),
    )


@PAGE.shows("/jobs/{job}/details")
async def show_details(visit: Visiting, job: str) -> Response:
    """What it was submitted with, what it uses, and what it has cost."""
    view = await jobs.show(visit.caller, visit.services, job)
    held = await _environment(visit, view.environment)
    found = await allowed(jobs.spec(visit.caller, visit.services, view.id))
    cost, currency = await _cost(visit, view)
    return visit.page(
        "job/details.html",
        shell=Shell(title=f"Details of {view.name}", entry="jobs", styles=("job.css",)),
        job=view,
        environment=held,
        spec=json.dumps(found.spec, indent=2, ensure_ascii=False) if found else "",
        cost=cost,
        currency=currency,
        writes=may(visit.caller, "jobs.cancel"),
    )


@PAGE.shows("/jobs/{job}/compare")
async def compare_jobs(
    visit: Visiting, job: str, query: Annotated[CompareQuery, Query()]
) -> Response:
    """It and another side by side, as `gw compare` has them."""
    view = await jobs.show(visit.caller, visit.services, job)
    newest = await jobs.page(visit.caller, visit.services, Filters(limit=NEWEST_SHOWN + 1))
    found = None
    if query.to:
        other = await jobs.show(visit.caller, visit.services, query.to)
        found = compared(await _side(visit, view), await _side(visit, other))
    return visit.page(
        "job/compare.html",
        shell=Shell(title=f"Compare {view.name}", entry="jobs", styles=("job.css",)),
        job=view,
        found=found,
        to=query.to,
        others=[each for each in newest.items if each.id != view.id][:NEWEST_SHOWN],
        writes=may(visit.caller, "jobs.cancel"),
    )


@PAGE.shows("/jobs/{job}/clone")
async def ask_clone(visit: Visiting, job: str) -> Response:
    """A form with what it was submitted with, to change and submit again."""
    view = await jobs.show(visit.caller, visit.services, job)
    found = await jobs.spec(visit.caller, visit.services, view.id)
    return visit.page(
        "job/clone.html",
        shell=Shell(title=f"Clone {view.name}", entry="jobs", styles=("job.css",)),
        job=view,
        spec=found.spec,
        command=shlex.join(found.spec["command"]),
        whole=json.dumps(found.spec, indent=2, ensure_ascii=False),
        writes=True,
    )


@PAGE.does("/jobs/{job}/clone")
async def clone_job(visit: Visiting, job: str) -> Response:
    """Submit it again, with what the form changes."""
    view = await jobs.show(visit.caller, visit.services, job)
    found = await jobs.spec(visit.caller, visit.services, view.id)
    draft = parse_job(json.dumps(_changed(found.spec, visit.form)))
    made = await jobs.submit(
        visit.caller, visit.services, draft, project=view.project, terms=visit.terms
    )
    return visit.back(url(f"/jobs/{made.id}"), f"Submitted as {made.id}, a clone of {view.id}.")


@PAGE.does("/jobs/{job}/cancel")
async def cancel_job(visit: Visiting, job: str) -> Response:
    """Stop it for good; of an array, every task."""
    view = await _found(visit, job)
    verb = arrays.cancel if isinstance(view, ArrayView) else jobs.cancel
    await verb(visit.caller, visit.services, view.id, project="", terms=visit.terms)
    return visit.back(url(f"/jobs/{view.id}"), f"{view.name} is being stopped.")


@PAGE.does("/jobs/{job}/retry")
async def retry_job(visit: Visiting, job: str) -> Response:
    """Run it again; of an array, the tasks that failed or were cancelled."""
    view = await _found(visit, job)
    verb = arrays.retry if isinstance(view, ArrayView) else jobs.retry
    await verb(visit.caller, visit.services, view.id, project="", terms=visit.terms)
    return visit.back(url(f"/jobs/{view.id}"), f"{view.name} runs again.")


async def _found(visit: Visit, reference: str) -> JobView | ArrayView:
    """The job, or the array of that id or name. Raises RefusalError."""
    try:
        return await jobs.show(visit.caller, visit.services, reference)
    except RefusalError as error:
        if error.code is not RefusalCode.NOT_FOUND:
            raise
        try:
            return await arrays.show(visit.caller, visit.services, reference)
        except RefusalError:
            raise error from None


async def _array_page(visit: Visit, view: ArrayView) -> Response:
    filters = Filters(limit=TASKS_SHOWN_MAX)
    tasks = await arrays.tasks(visit.caller, visit.services, view.id, filters)
    return visit.page(
        "job/array.html",
        shell=Shell(title=view.name, entry="jobs", live=LIVE, styles=("job.css",)),
        array=view,
        tasks=sorted(tasks.items, key=lambda each: each.index or 0),
        more=bool(tasks.next),
        writes=may(visit.caller, "arrays.cancel"),
    )


async def _explained(visit: Visit, view: JobView, *, asked: bool) -> ExplanationView | None:
    """None for a job in a long line, unless it is asked for: an explanation plays the whole line."""
    if view.phase == "queued" and not asked:
        line = await queue.page(visit.caller, visit.services, Filters(limit=1))
        if line.total > SHORT_LINE:
            return None
    return await explain.explain(visit.caller, visit.services, view.id)


def _ranks(view: JobView) -> list[Any]:
    """Of the newest attempt: those that failed first, then by number."""
    if not view.attempts:
        return []
    ranks = view.attempts[-1].ranks
    bad = [each for each in ranks if each.signal is not None or each.exit_code not in {0, None}]
    good = [each for each in ranks if each not in bad]
    return [*bad, *good][:RANKS_SHOWN_MAX]


async def _environment(visit: Visit, id: str) -> Any:
    if id == HOST:
        return None
    return await allowed(environments.show(visit.caller, visit.services, id))


async def _cost(visit: Visit, view: JobView) -> tuple[CostView | None, str]:
    """What it has cost by now; None for nothing on record."""
    wanted = CostFilter(
        by=("gang",),
        tenant=view.tenant,
        project=view.project,
        since_ms=view.created_ms,
        until_ms=view.ended_ms or clock.now_ms(),
    )
    found = await allowed(costs.totals(visit.caller, visit.services, wanted))
    if found is None:
        return None, ""
    mine = [each for each in found.items if each.subjects[0].value == view.id]
    return (mine[0] if mine else None), found.currency


async def _side(visit: Visit, view: JobView) -> Side:
    held = await _environment(visit, view.environment)
    found = await jobs.spec(visit.caller, visit.services, view.id)
    goodput = await ledger.of_job(visit.caller, visit.services, view.id)
    return Side(
        view=json.loads(to_json(view)),
        spec=found.spec,
        lock=held.lock if held else "",
        goodput=json.loads(to_json(goodput)),
    )


def _changed(spec: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """The spec with what the form says. Raises RefusalError for what cannot be read as what it is to be."""
    base = _read_json(form["spec"]) if form.get("spec", "").strip() else dict(spec)
    gang = dict(base.get("gang") or {})
    if form.get("name"):
        base["name"] = form["name"].strip()
    if form.get("command", "") not in {"", shlex.join(spec["command"])}:
        base["command"] = _read_command(form["command"])
    if form.get("nodes") and form["nodes"] != str(spec["gang"]["nodes"]["max"]):
        gang["nodes"] = _number("nodes", form["nodes"])
    for name in NUMBERS:
        place, was = (gang, spec["gang"]) if name in {"gpus", "cpus"} else (base, spec)
        if form.get(name) and form[name] != f"{was[name]:g}":
            place[name] = _number(name, form[name])
    return {**base, "gang": gang}


def _read_json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        detail = f"the spec is no JSON: {error}"
        raise RefusalError(RefusalCode.INVALID, detail, field="spec") from None
    if not isinstance(found, dict):
        raise RefusalError(RefusalCode.INVALID, "the spec is no JSON object", field="spec")
    return cast("dict[str, Any]", found)


def _read_command(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        detail = f"the command cannot be split into words: {error}"
        raise RefusalError(RefusalCode.INVALID, detail, field="command") from None


def _number(name: str, text: str) -> float | int:
    try:
        value = float(text)
    except ValueError:
        detail = f"{name} must be a number, not {text[:40]}"
        raise RefusalError(RefusalCode.INVALID, detail, field=name) from None
    return int(value) if value.is_integer() else value
