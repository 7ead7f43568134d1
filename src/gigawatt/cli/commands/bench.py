"""`gw bench`: play requests of public traces against an endpoint, or in virtual time."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigawatt.cli.complete import endpoint_names
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.twin.playback import Objective, PlaybackReport
    from gigawatt.twin.requests import Request

TRACES = ("azure", "burstgpt", "mooncake", "poisson")
EXAMPLES = """\b
Examples:
  gw bench serve chat --trace poisson --rate 4 --requests 200
  gw bench serve chat --trace azure --file conv.csv.gz --speed 2 --ttft 1
  gw bench serve --twin --trace mooncake --file conversation_trace.jsonl.gz
"""


@click.group("bench")
def bench() -> None:
    """Measure what is served."""


@bench.command("serve", epilog=EXAMPLES)
@click.argument("endpoint", required=False, shell_complete=endpoint_names)
@click.option("--twin", is_flag=True, help="In virtual time, with production's autoscaler.")
@click.option("--trace", type=click.Choice(TRACES), default="poisson", show_default=True)
@click.option("--file", type=click.Path(path_type=Path), help="The trace, plain or gzipped.")
@click.option("--requests", type=click.IntRange(min=0), default=0, help="At most; 0 is all.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, help="Times it.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=1.0, help="Of poisson, a second."
)
@click.option(
    "--prompt", type=click.IntRange(min=1), default=200, help="Of poisson, tokens on average."
)
@click.option(
    "--completion", type=click.IntRange(min=1), default=50, help="Of poisson, tokens on average."
)
@click.option(
    "--prompt-max",
    type=click.IntRange(min=1),
    default=1 << 20,
    help="Longer prompts are cut to it.",
)
@click.option(
    "--completion-max",
    type=click.IntRange(min=1),
    default=1 << 20,
    help="Longer answers are cut to it.",
)
@click.option(
    "--ttft", type=click.FloatRange(min=0), default=0.0, help="Objective, seconds; 0 is none."
)
@click.option(
    "--tpot", type=click.FloatRange(min=0), default=0.0, help="Objective, seconds a token."
)
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=8, help="With --twin: of a replica."
)
@click.option(
    "--start",
    type=click.FloatRange(min=0),
    default=30.0,
    help="With --twin: of a replica, seconds.",
)
@click.option("--seed", type=int, default=0, help="Of poisson.")
@with_project
@with_session
def serve(
    session: Session,
    *,
    endpoint: str | None,
    twin: bool,
    concurrency: int,
    start: float,
    **given: object,
) -> None:
    """Play a trace against ENDPOINT, or with --twin against replicas that are simulated, and report what became of it.

    TTFT and TPOT in percentiles, goodput within an objective, GPU-seconds (of a replica without GPUs: its seconds) and
    cold starts, by the same code for both.
    """
    if bool(endpoint) == twin:
        raise click.UsageError("name an endpoint, or give --twin")
    requests, objective = _requests(given), _objective(given)
    if twin:
        report = _in_twin(requests, objective, concurrency=concurrency, start_s=start)
    else:
        from gigawatt.cli.playing import play

        assert endpoint is not None
        report = play(session.client, endpoint, requests, objective, say=session.say)
    _show(session, report)


def _requests(given: dict[str, object]) -> "tuple[Request, ...]":
    from gigawatt.twin.requests import Cut, capped, poisson, read_requests

    count, trace, file = int(str(given["requests"])), str(given["trace"]), given["file"]
    if trace == "poisson":
        found = poisson(
            rate=float(str(given["rate"])),
            count=count or 100,
            prompt_tokens=int(str(given["prompt"])),
            completion_tokens=int(str(given["completion"])),
            seed=int(str(given["seed"])),
        )
    elif isinstance(file, Path):
        found = read_requests(file, trace, Cut(count=count, speed=float(str(given["speed"]))))
    else:
        raise click.UsageError(f"trace {trace} is a file: give it with --file")
    return capped(
        found,
        prompt_tokens=int(str(given["prompt_max"])),
        completion_tokens=int(str(given["completion_max"])),
    )


def _objective(given: dict[str, object]) -> "Objective":
    from gigawatt.twin.playback import Objective

    return Objective(ttft_s=float(str(given["ttft"])), tpot_s=float(str(given["tpot"])))


def _in_twin(
    requests: "tuple[Request, ...]", objective: "Objective", *, concurrency: int, start_s: float
) -> "PlaybackReport":
    from gigawatt.model.scaling import Scaling
    from gigawatt.twin.fleet import Fleet, ReplicaModel
    from gigawatt.twin.playback import report_of
    from gigawatt.twin.scaler import Autoscaler

    model = ReplicaModel(concurrency=concurrency, start_s=start_s)
    fleet = Fleet(model, Autoscaler(model, Scaling()), start=0)
    gpu_seconds = fleet.run(requests)
    return report_of(
        fleet.played, objective, gpu_seconds=gpu_seconds, cold_starts=fleet.cold_starts
    )


def _show(session: Session, report: "PlaybackReport") -> None:
    if session.as_json:
        session.show_json(asdict(report))
        return
    from gigawatt.cli.style import show_fields

    show_fields(
        [
            ("requests", f"{report.requests}, {report.errors} failed, in {report.lasted_s:.1f} s"),
            ("tokens", str(report.tokens)),
            ("TTFT", _times(report.ttft_p50_s, report.ttft_p90_s, report.ttft_p99_s)),
            (
                "TPOT",
                f"p50 {report.tpot_p50_s * 1000:.1f} ms, p99 {report.tpot_p99_s * 1000:.1f} ms",
            ),
            ("goodput", f"{report.goodput:.2f} a second, {report.attained:.1%} of all"),
            ("GPU-seconds", f"{report.gpu_seconds:.0f}"),
            ("cold starts", str(report.cold_starts)),
        ]
    )


def _times(p50_s: float, p90_s: float, p99_s: float) -> str:
    return f"p50 {p50_s:.3f} s, p90 {p90_s:.3f} s, p99 {p99_s:.3f} s"
