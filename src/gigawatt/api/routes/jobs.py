"""Jobs: /v1/jobs."""

import json
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.queries import JobListing, Lines, Logs, Place, Result, Submit, Verify
from gigawatt.api.replies import HEARTBEAT, event_stream, page_reply, reply, sse
from gigawatt.service import checkpoints, explain, jobs, ledger, logs, results, watch
from gigawatt.service.lines import LogLine
from gigawatt.service.logs import LogBytes
from gigawatt.service.views.checkpoints import CheckpointRecordView, VerifiedView
from gigawatt.service.views.explain import ExplanationView
from gigawatt.service.views.jobs import DryRunView, JobSpecView, JobView
from gigawatt.service.views.ledger import GoodputView
from gigawatt.service.views.text import PageView, to_json
from gigawatt.spec.forms import JobForm
from gigawatt.spec.parse import parse_job

ROUTES = Routes()
TEXT = "text/plain; charset=utf-8"
JSON_LINES = "application/x-ndjson"


@ROUTES.add(
    "POST",
    "/v1/jobs",
    Operation(
        verb="jobs.submit",
        summary="Submit a job, or try it out",
        responds=JobView,
        status=201,
        also={200: DryRunView},
        dry_run="jobs.dry_run",
        accepts=JobForm,
        writes=True,
    ),
)
async def submit_job(call: Call, query: Submit) -> Response:
    draft = parse_job(await call.body())
    if query.dry_run:
        found = await jobs.dry_run(call.caller, call.services, draft, project=query.project)
        return reply(found)
    terms = await call.terms()
    view = await jobs.submit(call.caller, call.services, draft, project=query.project, terms=terms)
    return reply(view, status=201, version=view.version, location=f"/v1/jobs/{view.id}")


@ROUTES.add(
    "GET",
    "/v1/jobs",
    Operation(verb="jobs.page", summary="List jobs, newest first", responds=PageView[JobView]),
)
async def list_jobs(call: Call, query: JobListing) -> Response:
    return page_reply(await jobs.page(call.caller, call.services, query.filters()))


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}",
    Operation(verb="jobs.show", summary="Show a job, by id or name", responds=JobView),
)
async def show_job(call: Call, job: str, query: Place) -> Response:
    view = await jobs.show(call.caller, call.services, job, project=query.project)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/spec",
    Operation(
        verb="jobs.spec",
        summary="Show what a job was submitted with, in the job file's words",
        responds=JobSpecView,
    ),
)
async def job_spec(call: Call, job: str, query: Place) -> Response:
    return reply(await jobs.spec(call.caller, call.services, job, project=query.project))


@ROUTES.add(
    "POST",
    "/v1/jobs/{job}/cancel",
    Operation(
        verb="jobs.cancel",
        summary="Stop a job for good",
        responds=JobView,
        writes=True,
        versioned=True,
    ),
)
async def cancel_job(call: Call, job: str, query: Place) -> Response:
    terms = await call.terms()
    view = await jobs.cancel(call.caller, call.services, job, project=query.project, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "POST",
    "/v1/jobs/{job}/retry",
    Operation(
        verb="jobs.retry",
        summary="Run an ended job again",
        responds=JobView,
        writes=True,
        versioned=True,
    ),
)
async def retry_job(call: Call, job: str, query: Place) -> Response:
    terms = await call.terms()
    view = await jobs.retry(call.caller, call.services, job, project=query.project, terms=terms)
    return reply(view, version=view.version)


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/checkpoints",
    Operation(
        verb="checkpoints.page",
        summary="List what a job has saved, newest first",
        responds=PageView[CheckpointRecordView],
    ),
)
async def job_checkpoints(call: Call, job: str, query: Place) -> Response:
    found = await checkpoints.page(call.caller, call.services, job, project=query.project)
    return page_reply(found)


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/checkpoints/verify",
    Operation(
        verb="checkpoints.verify",
        summary="Read a job's checkpoints again and compare with what was reported",
        responds=PageView[VerifiedView],
    ),
)
async def verify_checkpoints(call: Call, job: str, query: Verify) -> Response:
    found = await checkpoints.verify(
        call.caller, call.services, job, step=query.step, project=query.project
    )
    return page_reply(found)


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/explain",
    Operation(
        verb="explain.explain",
        summary="Say why a job waits, or how it failed",
        responds=ExplanationView,
    ),
)
async def explain_job(call: Call, job: str, query: Place) -> Response:
    return reply(await explain.explain(call.caller, call.services, job, project=query.project))


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/goodput",
    Operation(
        verb="ledger.of_job",
        summary="Say what became of the time that a job held",
        responds=GoodputView,
    ),
)
async def job_goodput(call: Call, job: str, query: Place) -> Response:
    return reply(await ledger.of_job(call.caller, call.services, job, project=query.project))


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/logs",
    Operation(
        verb="logs.of_job", summary="Read or follow what a rank wrote", media_type="text/plain"
    ),
)
async def job_logs(call: Call, job: str, query: Logs) -> Response:
    found = await logs.of_job(
        call.caller, call.services, job, query.wanted(), project=query.project
    )
    return log_reply(call, found)


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/result",
    Operation(
        verb="results.of_job",
        summary="Read what the function of a job returned or raised in a rank",
        media_type="application/octet-stream",
    ),
)
async def job_result(call: Call, job: str, query: Result) -> Response:
    found = await results.of_job(call.caller, call.services, job, query.rank, project=query.project)
    return Response(found, media_type="application/octet-stream")


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/lines",
    Operation(
        verb="logs.lines",
        summary="Read or follow the lines of a rank in which a pattern is found, as JSON lines",
        media_type=JSON_LINES,
    ),
)
async def job_lines(call: Call, job: str, query: Lines) -> Response:
    found = await logs.lines(call.caller, call.services, job, query.wanted(), project=query.project)
    lines = call.while_good(_line_json(found))
    return StreamingResponse(lines, media_type=JSON_LINES, headers={"Cache-Control": "no-store"})


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/watch",
    Operation(
        verb="watch.job",
        summary="Watch a job until it has ended: events `job`, then `end`",
        media_type="text/event-stream",
    ),
)
async def watch_job(call: Call, job: str, query: Place) -> Response:
    views = await watch.job(call.caller, call.services, job, project=query.project)
    return event_stream(call.while_good(_job_events(views)))


def log_reply(call: Call, found: LogBytes) -> Response:
    """A stream of bytes; the headers say where in whose output it begins."""
    headers = {
        "X-Log-Offset": str(found.offset),
        "X-Log-Attempt": str(found.attempt),
        "Cache-Control": "no-store",
    }
    return StreamingResponse(call.while_good(found.chunks), media_type=TEXT, headers=headers)


async def _line_json(batches: AsyncIterator[tuple[LogLine, ...]]) -> AsyncIterator[bytes]:
    async for batch in batches:
        if batch:
            yield b"".join(_one_line(each) for each in batch)


def _one_line(each: LogLine) -> bytes:
    text = each.line.decode(errors="replace")
    fields = {"attempt": each.attempt, "offset": each.offset, "line": text}
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


async def _job_events(views: AsyncIterator[JobView | None]) -> AsyncIterator[bytes]:
    ended = False
    async for view in views:
        if view is None:
            yield HEARTBEAT
        else:
            ended = view.ended_ms is not None
            yield sse("job", to_json(view))
    if ended:
        yield sse("end", b"{}")
