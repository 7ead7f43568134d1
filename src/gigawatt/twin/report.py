"""What a run is reported as: one value of plain numbers, the same bytes for the same scenario and seed."""

import hashlib
import json
from array import array
from dataclasses import asdict, dataclass

from gigawatt.model.ledger import TimeClass
from gigawatt.scheduler.scores import NO_SCORE, Score
from gigawatt.twin.serving import Served
from gigawatt.twin.tally import UNITS, Tally

ALLOCATED = (
    TimeClass.USEFUL,
    TimeClass.REDONE,
    TimeClass.USER_FAULT,
    TimeClass.CHECKPOINTING,
    TimeClass.STARTING,
    TimeClass.PREEMPTED,
    TimeClass.SERVING,
    TimeClass.SERVING_IDLE,
    TimeClass.WORKSPACE_IDLE,
)
AWAY = (TimeClass.DOWN, TimeClass.DRAINED)
RATIO_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Of times in seconds: the mean, and percentiles by nearest rank. None where there is no job."""

    mean: float | None
    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the run was of, and what became of the jobs that have not ended."""

    policy: str
    nodes: int
    submitted: int
    impossible: int
    waiting: int
    began_ms: int
    failures: tuple[tuple[str, int], ...] = ()  # how often, by cause
    served: tuple[Served, ...] = ()
    saving_ms: int = 0  # device time that stood still for checkpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run. Device time is of GPUs where the site has any, else of cores.

    `utilization` is what gangs held of what was up; `goodput` what was useful or served of what they held, less the time in which
    they stood still to save; `fragmentation` what was free on nodes that were partly used, of what is installed.
    """

    policy: str
    nodes: int
    jobs_submitted: int
    jobs_completed: int
    jobs_failed: int
    jobs_waiting: int  # at the end, with nothing left that could start them
    jobs_impossible: int  # larger than the whole site, so never submitted
    makespan_s: float
    wait_s: Spread
    jct_s: Spread
    utilization: float
    goodput: float | None
    fragmentation: float
    preemptions: int
    interruptions: int  # attempts that a node's failure ended
    failures: tuple[tuple[str, int], ...]  # of nodes and domains: how often, by cause
    serving: tuple[Served, ...]
    checkpointing_s: float  # device time that stood still to save, in GPU- or core-seconds
    lost_work_gpu_s: float
    lost_work_core_s: float
    estimates: Score  # of starts that were foretold; the count is 0 where none were
    decisions: int
    cycles: int


def report_of(tally: Tally, asked: Asked, score: Score | None = None) -> Report:
    """The report of a closed tally, and of how well starts were foretold."""
    installed, allocated = tally.total(), tally.total(*ALLOCATED)
    up = installed - tally.total(*AWAY)
    useful = tally.total(TimeClass.USEFUL, TimeClass.SERVING)
    scattered = tally.scattered_ms.get(tally.unit, 0)
    return Report(
        policy=asked.policy,
        nodes=asked.nodes,
        jobs_submitted=asked.submitted,
        jobs_completed=len(tally.jcts_ms),
        jobs_failed=tally.failed,
        jobs_waiting=asked.waiting,
        jobs_impossible=asked.impossible,
        makespan_s=max(tally.ended_ms - asked.began_ms, 0) / 1000,
        wait_s=spread(tally.waits_ms),
        jct_s=spread(tally.jcts_ms),
        utilization=_ratio(allocated, up) or 0.0,
        goodput=_ratio(useful - asked.saving_ms, allocated),
        fragmentation=_ratio(scattered, installed) or 0.0,
        preemptions=tally.preemptions,
        interruptions=tally.interruptions,
        failures=asked.failures,
        serving=asked.served,
        checkpointing_s=asked.saving_ms / 1_000_000,
        lost_work_gpu_s=_lost_s(tally, UNITS[0]),
        lost_work_core_s=_lost_s(tally, UNITS[1]),
        estimates=score or NO_SCORE,
        decisions=tally.decisions,
        cycles=tally.cycles,
    )


def spread(times_ms: "array[int]") -> Spread:
    """The mean, and the least value that so many percent do not exceed."""
    if not times_ms:
        return Spread(mean=None, p50=None, p90=None, p99=None)
    ordered = sorted(times_ms)

    def percentile(percent: int) -> float:
        return ordered[-(-percent * len(ordered) // 100) - 1] / 1000

    mean = round(sum(ordered) / len(ordered)) / 1000
    return Spread(mean=mean, p50=percentile(50), p90=percentile(90), p99=percentile(99))


def report_bytes(report: Report) -> bytes:
    """A report as canonical JSON: equal runs have equal bytes, whatever the process."""
    return json.dumps(asdict(report), sort_keys=True, separators=(",", ":")).encode()


def report_sha256(report: Report) -> str:
    """The digest of `report_bytes`, in hex."""
    return hashlib.sha256(report_bytes(report)).hexdigest()


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, RATIO_DIGITS) if whole else None


def _lost_s(tally: Tally, unit: str) -> float:
    return tally.classes.get((unit, TimeClass.REDONE), 0) / 1_000_000
