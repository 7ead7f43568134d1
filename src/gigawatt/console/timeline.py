"""The life of a job as spans of time: what it waited for, what starting took, how long it ran. Values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gigawatt.service.views.jobs import AttemptView, JobView

WIDTH, HEIGHT = 600, 14
THINNEST = 1.5  # of the width: what is short is still seen
ATTEMPTS_SHOWN_MAX = 50
STAGES = ("waiting", "fetching", "starting", "running", "stopping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stage of an attempt, from a moment to another."""

    stage: str
    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt, or the wait for the next one where `attempt` is None."""

    attempt: AttemptView | None
    spans: tuple[Span, ...]
    first_step_ms: int | None = None

    def took(self, stage: str) -> int | None:
        """How long a stage was; None for one that it did not have."""
        lengths = [each.length_ms for each in self.spans if each.stage == stage]
        return sum(lengths) if lengths else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The newest attempts, on one scale. `hidden` is how many came before those."""

    rows: tuple[Row, ...]
    start_ms: int
    end_ms: int
    hidden: int = 0

    def bar(self, row: Row) -> Markup:
        """A row as SVG; the table beside it has the same in numbers."""
        span_ms = max(self.end_ms - self.start_ms, 1)
        rects = Markup("").join(
            Markup('<rect class="s-{stage}" x="{x:.2f}" width="{w:.2f}" height="{h}"/>').format(
                stage=each.stage,
                x=(each.start_ms - self.start_ms) / span_ms * WIDTH,
                w=max(each.length_ms / span_ms * WIDTH, THINNEST),
                h=HEIGHT,
            )
            for each in row.spans
        )
        return Markup(
            '<svg class="bar" viewBox="0 0 {w} {h}" preserveAspectRatio="none" aria-hidden="true">{rects}</svg>'
        ).format(w=WIDTH, h=HEIGHT, rects=rects)


def timeline(job: JobView, first_steps_ms: dict[int, int | None], now_ms: int) -> Timeline:
    """From its submission to its end, or to now."""
    end_ms = max(job.ended_ms or now_ms, job.created_ms)
    shown = job.attempts[-ATTEMPTS_SHOWN_MAX:]
    hidden = len(job.attempts) - len(shown)
    before_ms = job.attempts[hidden - 1].ended_ms or job.created_ms if hidden else job.created_ms
    start_ms, rows = before_ms, list[Row]()
    for each in shown:
        spans = _spans(each, before_ms, each.ended_ms or end_ms)
        rows.append(Row(attempt=each, spans=spans, first_step_ms=first_steps_ms.get(each.n)))
        before_ms = each.ended_ms or end_ms
    if job.ended_ms is None and not (shown and shown[-1].ended_ms is None):
        waits = Span(stage="waiting", start_ms=before_ms, end_ms=end_ms)
        rows.append(Row(attempt=None, spans=(waits,)))
    return Timeline(rows=tuple(rows), start_ms=start_ms, end_ms=end_ms, hidden=hidden)


def _spans(attempt: AttemptView, before_ms: int, end_ms: int) -> tuple[Span, ...]:
    """Its stages in order. One that was never reached is left out, and the one before it lasts until the next."""
    begun: Sequence[tuple[str, int | None]] = (
        ("waiting", before_ms),
        ("fetching", attempt.placed_ms),
        ("starting", attempt.starting_ms),
        ("running", attempt.running_ms),
        ("stopping", attempt.stopping_ms),
    )
    known = [(stage, at_ms) for stage, at_ms in begun if at_ms is not None]
    ends = [at_ms for _, at_ms in known[1:]] + [end_ms]
    return tuple(
        Span(stage=stage, start_ms=at_ms, end_ms=max(until_ms, at_ms))
        for (stage, at_ms), until_ms in zip(known, ends, strict=True)
    )
