"""`gw logs`: what ranks wrote, as they wrote it; with `-f` as they write it, through every attempt."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from gigawatt import clock
from gigawatt.cli.complete import job_names
from gigawatt.cli.following import goes_on, wait_for_start
from gigawatt.cli.printing import Origin, Printer, byte_printer, line_printer, merged
from gigawatt.cli.ranks import named_ranks
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.jobhandle import Job

STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which output, and how much of it."""

    follow: bool = False
    ranks: tuple[int, ...] = (0,)
    streams: tuple[str, ...] = STREAMS
    attempt: int | None = None
    tail: int | None = None
    grep: str = ""
    since_ms: int = 0

    @property
    def by_lines(self) -> bool:
        """Whether the server picks lines."""
        return bool(self.grep or self.since_ms)

    def origins(self, attempt: int) -> list[Origin]:
        return [
            Origin(attempt=attempt, rank=rank, stream=stream)
            for rank in self.ranks
            for stream in self.streams
        ]


@click.command("logs")
@click.argument("job", shell_complete=job_names)
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@click.option("--rank", "ranks", multiple=True, metavar="N[,M]", help="Ranks, or `all`; default 0.")
@click.option("--stream", type=click.Choice(STREAMS), help="One stream; default: both.")
@click.option("--attempt", type=click.IntRange(min=1), help="An attempt; default: the newest.")
@click.option("--grep", default="", metavar="REGEX", help="Only lines in which this is found.")
@click.option(
    "--since", metavar="TIME", help="Only what came since, e.g. 10m, or 2026-01-31T12:00:00Z."
)
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Begin N lines before now.")
@with_project
@with_session
def logs(session: Session, *, job: str, **given: Any) -> None:
    """Print what the ranks of JOB wrote: their stdout on stdout, their stderr on stderr.

    Of several ranks each line begins with its rank. `-o json` prints an object for each line.
    """
    found = session.client.job(job)
    wanted = _wanted(found, **given)
    if wanted.follow:
        with goes_on(found.name):
            follow_job(session, found, wanted)
        return
    attempt = wanted.attempt or len(found.view["attempts"])
    if not attempt:
        session.say(f"{found.name} is {found.phase} and has not run yet")
        return
    printer = _printer(session, wanted)
    for origin in wanted.origins(attempt):
        for chunk in _read(found, origin, wanted):
            printer.write(origin, chunk)
    printer.close()


def follow_job(session: Session, job: "Job", wanted: Wanted | None = None) -> None:
    """Print a job's output until it has ended. Raises ApiError, UnreachableError."""
    wanted = wanted or Wanted(follow=True)
    first = wanted.attempt
    wait_for_start(session, job)
    for shown, attempt in enumerate(job.attempts_as_they_come(first)):
        if shown:
            session.say(f"── attempt {attempt} ──")
        printer = _printer(session, wanted)
        readers = {each: _follow(job, each, wanted) for each in wanted.origins(attempt)}
        for origin, chunk in merged(readers):
            printer.write(origin, chunk)
        printer.close()
        if first is not None:
            return
        wanted = replace(wanted, tail=None)


def _wanted(
    job: "Job",
    *,
    ranks: tuple[str, ...],
    stream: str | None,
    since: str | None,
    **rest: Any,
) -> Wanted:
    if rest["tail"] is not None and (rest["grep"] or since):
        raise click.UsageError("--tail counts all lines; it does not go with --grep or --since")
    return Wanted(
        ranks=_ranks(job, ranks),
        streams=(stream,) if stream else STREAMS,
        since_ms=_moment_ms(since) if since else 0,
        **rest,
    )


def _moment_ms(text: str) -> int:
    """A moment, or how long ago it was. Raises click.BadParameter."""
    from gigawatt.spec.times import time_ms
    from gigawatt.spec.units import UnitError, duration_ms

    try:
        return max(clock.now_ms() - duration_ms(text), 1)
    except UnitError:
        pass
    try:
        return max(time_ms(text), 1)
    except UnitError as error:
        detail = f"{text!r} is neither a time nor how long ago: write 10m, 2h, or 2026-01-31T12:00Z"
        raise click.BadParameter(detail, param_hint="--since") from error


def _ranks(job: "Job", named: tuple[str, ...]) -> tuple[int, ...]:
    """Raises click.BadParameter."""
    chosen = named_ranks(named)
    if chosen is None:
        attempts, gang = job.view["attempts"], job.view["gang"]
        size = len(attempts[-1]["ranks"]) if attempts else gang["nodes"] * gang["ranks_per_node"]
        return tuple(range(size))
    return chosen or (0,)


def _printer(session: Session, wanted: Wanted) -> Printer:
    if session.as_json or len(wanted.ranks) > 1:
        return line_printer(as_json=session.as_json)
    return byte_printer()


def _read(job: "Job", origin: Origin, wanted: Wanted) -> Iterator[bytes]:
    """What one rank has written to one stream so far."""
    if wanted.by_lines:
        yield from _lines(job, origin, wanted)
        return
    if wanted.tail is not None:
        yield job.tail(wanted.tail, attempt=origin.attempt, rank=origin.rank, stream=origin.stream)[
            0
        ]
        return
    yield from job.logs(attempt=origin.attempt, rank=origin.rank, stream=origin.stream)


def _follow(job: "Job", origin: Origin, wanted: Wanted) -> Iterator[bytes]:
    """The same, and what it still writes until the attempt has ended."""
    if wanted.by_lines:
        yield from _lines(job, origin, wanted)
        return
    offset = 0
    if wanted.tail is not None:
        data, offset = job.tail(
            wanted.tail, attempt=origin.attempt, rank=origin.rank, stream=origin.stream
        )
        yield data
    source = job.log_source(rank=origin.rank, stream=origin.stream, offset=offset)
    yield from job.attempt_logs(source, origin.attempt)


def _lines(job: "Job", origin: Origin, wanted: Wanted) -> Iterator[bytes]:
    """What the server finds of it."""
    found = job.lines(
        grep=wanted.grep,
        since_ms=wanted.since_ms,
        follow=wanted.follow,
        attempt=origin.attempt,
        rank=origin.rank,
        stream=origin.stream,
    )
    for each in found:
        yield each["line"].encode() + b"\n"
