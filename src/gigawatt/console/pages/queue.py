"""The queue: who waits, why, until when and what would change that; what projects may use; and a question to the scheduler."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gigawatt.console.page import Page
from gigawatt.console.visit import Shell, Visit, Visiting, allowed
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import asking, explain, queue, quotas
from gigawatt.service.lookup import PAGE_LIMIT_MAX, REFERENCE_CHARS_MAX, Filters
from gigawatt.service.permissions import may
from gigawatt.service.views.asking import AskView
from gigawatt.service.views.explain import ExplanationView
from gigawatt.service.views.quotas import BoundsView, QuotaView
from gigawatt.spec.asking import parse_question

PAGE = Page(name="queue")
LIVE = ("job.", "array.", "node.", "quota.", "project.")
REFRESH_S = 15  # estimates and averages move without events
SHOWN = 50
EXPLAINED = 3  # of the head of a short line; others when they are asked for
SHORT_LINE = 100  # jobs: an explanation plays the whole line
HOUR_S = 3_600
WIDTH, HEIGHT = 300, 12

Text = Annotated[str, Field(max_length=REFERENCE_CHARS_MAX)]


class QueueQuery(BaseModel):
    """`why` is a job to explain; the others are the question what would become of a gang. Empty ones are left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    project: Text = ""
    why: Text = ""
    nodes: Text = ""
    gpus: Text = ""
    kind: Text = ""
    cpus: Text = ""
    hours: Text = ""
    priority: Text = ""
    ask: Text = ""  # in which project


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A project in the tree of those that share, and how deep it is."""

    view: QuotaView
    depth: int
    unit: str
    used: float
    quota: float | None
    limit: float | None

    def bar(self) -> Markup:
        """Use within its quota, use beyond it, and marks at quota and limit, on one scale."""
        ends = [each for each in (self.used, self.quota, self.limit) if each]
        whole = max(ends, default=0.0)
        if not whole:
            return Markup("")
        within = min(self.used, self.quota) if self.quota is not None else self.used
        parts = [_rect("used", 0, within / whole), _rect("over", within / whole, self.used / whole)]
        for name, mark in (("mark", self.quota), ("most", self.limit)):
            if mark is not None:
                at = mark / whole
                parts.append(_rect(name, max(at - 0.008, 0), at))
        return Markup(
            '<svg class="use" viewBox="0 0 {w} {h}" preserveAspectRatio="none" aria-hidden="true">{parts}</svg>'
        ).format(w=WIDTH, h=HEIGHT, parts=Markup("").join(parts))


@PAGE.shows("/queue")
async def show_queue(visit: Visiting, query: Annotated[QueueQuery, Query()]) -> Response:
    """The line, what explains it, and the answer to a question, all by one GET."""
    caller, services = visit.caller, visit.services
    line = await queue.page(caller, services, Filters(project=query.project, limit=SHOWN))
    head = EXPLAINED if line.total <= SHORT_LINE else 0
    wanted = dict.fromkeys([*(each.id for each in line.items[:head]), query.why])
    told = await asyncio.gather(
        *(allowed(explain.explain(caller, services, each)) for each in wanted if each)
    )
    shares = await allowed(quotas.page(caller, services, Filters(limit=PAGE_LIMIT_MAX)))
    answer, refusal = await _answer(visit, query)
    explained: dict[str, ExplanationView] = {each.job: each for each in told if each}
    return visit.page(
        "queue/index.html",
        shell=Shell(
            title="Queue", entry="queue", live=LIVE, every_s=REFRESH_S, styles=("job.css",)
        ),
        line=line,
        told=explained,
        branches=branches(shares.items) if shares else [],
        kinds=services.leader.gpu_kinds(),
        given=query.model_dump(exclude_defaults=True),
        answer=answer,
        refusal=refusal,
        asks=may(caller, "asking.ask"),
    )


def branches(views: Sequence[QuotaView]) -> list[Branch]:
    """Projects below those they belong to, tenants and names in order. What is below nothing that is seen is a root."""
    known = {(each.tenant, each.project) for each in views}
    below: dict[tuple[str, str], list[QuotaView]] = {}
    for each in sorted(views, key=lambda each: (each.tenant, each.project)):
        parent = each.parent if (each.tenant, each.parent) in known else ""
        below.setdefault((each.tenant, parent), []).append(each)
    found: list[Branch] = []

    def put(tenant: str, parent: str, depth: int) -> None:
        for each in below.get((tenant, parent), []):
            found.append(_branch(each, depth))
            put(tenant, each.project, depth + 1)

    for tenant in sorted({each.tenant for each in views}):
        put(tenant, "", 0)
    return found


def _branch(view: QuotaView, depth: int) -> Branch:
    """In GPUs where anything is said or used of them, else in CPUs."""
    of_gpus = any(each.gpus for each in (view.guaranteed, view.limit, view.used))
    name = "gpus" if of_gpus else "cpus"
    return Branch(
        view=view,
        depth=depth,
        unit="GPU" if of_gpus else "CPU",
        used=_amount(view.used, name) or 0.0,
        quota=_amount(view.guaranteed, name),
        limit=_amount(view.limit, name),
    )


def _amount(bounds: BoundsView, name: str) -> float | None:
    return bounds.gpus if name == "gpus" else bounds.cpus


def _rect(name: str, start: float, end: float) -> Markup:
    return Markup('<rect class="{n}" x="{x:.2f}" width="{w:.2f}" height="{h}"/>').format(
        n=name, x=start * WIDTH, w=max(end - start, 0) * WIDTH, h=HEIGHT
    )


async def _answer(visit: Visit, query: QueueQuery) -> tuple[AskView | None, RefusalError | None]:
    """What the scheduler says; a question that it does not take is told beside the form."""
    if not (query.nodes or query.gpus or query.cpus or query.kind or query.hours):
        return None, None
    try:
        question = parse_question(json.dumps(_question(query)))
        found = await asking.ask(visit.caller, visit.services, question, project=query.ask)
    except RefusalError as error:
        return None, error
    return found, None


def _question(query: QueueQuery) -> dict[str, Any]:
    """In the words of a job file. Raises RefusalError."""
    gang: dict[str, Any] = {}
    for name, text in (("nodes", query.nodes), ("gpus", query.gpus), ("cpus", query.cpus)):
        if text:
            gang[name] = _number(name, text)
    if query.kind:
        gang["gpu_kinds"] = [query.kind]
        gang.setdefault("gpus", 1)
    asked: dict[str, Any] = {"gang": gang}
    if query.hours:
        asked["timeout"] = round(_number("hours", query.hours) * HOUR_S)
    if query.priority:
        asked["priority"] = _number("priority", query.priority)
    return asked


def _number(name: str, text: str) -> float | int:
    try:
        value = float(text)
        return int(value) if value.is_integer() else value
    except (ValueError, OverflowError):
        detail = f"{name} must be a number, not {text[:40]}"
        raise RefusalError(RefusalCode.INVALID, detail, field=name) from None
