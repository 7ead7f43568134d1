"""The twin: a scenario played under one or several policies, side by side, and recorded cycles decided again.

What came of a run has an address of its own, so that it can be reloaded and passed on.
"""

from importlib.resources import files
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gigawatt.console.navigation import url
from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visit, Visiting
from gigawatt.model.refusal import RefusalError
from gigawatt.scheduler.policy import POLICIES
from gigawatt.service import twin
from gigawatt.service.lookup import not_found

PAGE = Page(name="twin")
EXAMPLES = ("line", "failures", "serving")
FIGURES = (
    # Of a report: its name, what it is, how it is written, and whether less is better (None: neither).
    ("jobs_completed", "Jobs completed", "count", False),
    ("jobs_failed", "Jobs failed", "count", True),
    ("jobs_waiting", "Still waiting at the end", "count", True),
    ("makespan_s", "Until the last job ended", "seconds", True),
    ("wait_s.mean", "Wait, mean", "seconds", True),
    ("wait_s.p90", "Wait, P90", "seconds", True),
    ("wait_s.p99", "Wait, P99", "seconds", True),
    ("jct_s.mean", "From submission to end, mean", "seconds", True),
    ("utilization", "In use of what was up", "share", False),
    ("goodput", "Goodput of what was in use", "share", False),
    ("fragmentation", "Free on partly used nodes", "share", True),
    ("preemptions", "Preemptions", "count", None),
    ("interruptions", "Attempts ended by failures", "count", True),
    ("lost_work_gpu_s", "GPU time done again", "seconds", True),
    ("decisions", "Decisions", "count", None),
)


class TwinQuery(BaseModel):
    """Which example the form begins with, or whose scenario again."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    example: Annotated[str, Field(max_length=64)] = EXAMPLES[0]
    again: Annotated[str, Field(max_length=64)] = ""


@PAGE.shows("/twin")
async def show_twin(visit: Visiting, query: Annotated[TwinQuery, Query()]) -> Response:
    """The form, and recorded cycles."""
    if query.again:
        text = (await twin.show(visit.caller, visit.services, query.again)).text
    else:
        text = _example(query.example)
    return await _form(visit, text, policies=[], example=query.example)


@PAGE.does("/twin/play")
async def play(visit: Visiting) -> Response:
    """Play a scenario; what is wrong with it is said above the form, which keeps what was written."""
    text = visit.form.get("text", "").replace("\r\n", "\n")
    chosen = [visit.form.get(name, "") for name in ("policy", "other")]
    policies = list(dict.fromkeys(each for each in chosen if each))
    try:
        done = await twin.play(visit.caller, visit.services, text, policies)
    except RefusalError as error:
        return await _form(visit, text, policies=chosen, fault=error)
    return visit.back(url(f"/twin/runs/{done.id}"), "The scenario is played")


@PAGE.shows("/twin/runs/{id}")
async def show_runs(visit: Visiting, id: str) -> Response:
    """What came of a scenario."""
    played = await twin.show(visit.caller, visit.services, id)
    shell = Shell(title="Twin", entry="twin", styles=("twin.css",))
    return visit.page("twin/runs.html", shell=shell, played=played, rows=_rows(played.runs))


@PAGE.shows("/twin/cycles/{name}")
async def show_cycle(visit: Visiting, name: str) -> Response:
    """A recorded cycle, decided again."""
    found = await twin.replay(visit.caller, visit.services, name)
    shell = Shell(title="Recorded cycle", entry="twin", styles=("twin.css",))
    return visit.page("twin/cycle.html", shell=shell, name=name, decision=found)


async def _form(
    visit: Visit,
    text: str,
    *,
    policies: list[str],
    example: str = "",
    fault: RefusalError | None = None,
) -> Response:
    cycles = await twin.cycles(visit.caller, visit.services)
    shell = Shell(
        title="Twin",
        entry="twin",
        styles=("twin.css",),
        scripts=("twin.js",),
        status=fault.status if fault else 200,
    )
    return visit.page(
        "twin/index.html",
        shell=shell,
        text=text,
        chosen=[*policies, "", ""][:2],
        policies=tuple(POLICIES),
        examples=EXAMPLES,
        example=example,
        fault=fault,
        cycles=cycles[:20],
        before=await twin.played(visit.caller, visit.services),
        seconds_max=visit.services.twin.seconds_max,
    )


def _example(name: str) -> str:
    if name not in EXAMPLES:
        raise not_found("example", name)
    folder = files("gigawatt.console") / "scenarios"
    return (folder / f"{name}.toml").read_text(encoding="utf-8")


def _rows(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each figure that any run has, with the values of runs and which of them is better."""
    rows: list[dict[str, Any]] = []
    for name, title, kind, less in FIGURES:
        values = [_value(run["report"], name) for run in runs]
        if not any(values):
            continue
        there = [value for value in values if value is not None]
        best = None
        if less is not None and len(there) > 1 and min(there) != max(there):
            best = min(there) if less else max(there)
        rows.append({"title": title, "kind": kind, "values": values, "best": best})
    return rows


def _value(report: dict[str, Any], name: str) -> float | None:
    found: Any = report
    for part in name.split("."):
        found = found[part]
    return found
