"""When gangs start, foretold and scored: on parts of traces that nothing was tuned on.

Estimates are made inside the production cycle in virtual time, and know nothing that a site would not know then. The
first estimate of each gang is scored, by pinball loss and coverage, against two others made at the same moment: the
same play of the line in which everything runs up to its limit, and the quantiles of all waits so far. What comes in the
first quarter of a part is learned from and not judged. Constants were chosen on the first 20,000 jobs of RICC.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop

import numpy as np

from benchmarks.figures import Figure
from benchmarks.traces import absent, found
from gigawatt.scheduler.estimates import Estimates
from gigawatt.scheduler.forecast import ahead_of
from gigawatt.scheduler.policy import POLICIES
from gigawatt.scheduler.scores import P50, P90, Told, pinball
from gigawatt.twin.run import Scenario, Twin
from gigawatt.twin.site import NodeGroup, build_site
from gigawatt.twin.traces.swf import read_swf
from gigawatt.twin.traces.table import PHILLY, Mapped, read_table
from gigawatt.twin.work import Work

RICC = ("pwa-swf", "RICC-2010-2.swf.gz")
PHILLY_82K = ("philly", "philly_pollux_82k.csv.gz")
LEARNED = 0.25  # of a part is not judged
KIB, GIB = 1 << 10, 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`jobs` of a trace from `start` on, and how often (in times at which anything happens) estimates are made."""

    name: str
    trace: tuple[str, ...]
    policy: str
    start: int
    jobs: int
    every: int = 100
    limits: bool = True  # its jobs have limits


PARTS = (
    Part(name="RICC from 60,000, easy", trace=RICC, policy="easy", start=60_000, jobs=6_000),
    Part(name="RICC from 60,000, default", trace=RICC, policy="default", start=60_000, jobs=6_000),
    Part(
        name="Philly from 40,000, default",
        trace=PHILLY_82K,
        policy="default",
        start=40_000,
        jobs=6_000,
        limits=False,
    ),
)


@dataclass(slots=True, kw_only=True)
class Case:
    """One gang: what was told, what the play up to limits said, and when it started; 0 if it never did."""

    gang: str
    told: Told
    limits_ms: int | None


def run() -> list[Figure]:
    figures: list[Figure] = []
    for part in PARTS:
        if found(*part.trace) is None:
            print(absent(*part.trace))
            continue
        figures += judged(part)
    return figures


def judged(part: Part) -> list[Figure]:
    """Play one part, and compare."""
    twin = Twin(_scenario(part))
    estimates = twin.state.estimates = Estimates.of(twin.state.world, ())
    cases: list[Case] = []
    steps, spent_s, began_s = 0, 0.0, time.process_time()
    while twin.step():
        steps += 1
        if steps % part.every == 0 and estimates.untold:
            before_s = time.process_time()
            cases += _foretold(twin, estimates)
            spent_s += time.process_time() - before_s
    whole_s = time.process_time() - began_s
    started = [case for case in cases if case.told.started_ms]
    past = _past(started)
    first = int(len(started) * LEARNED)
    note = (
        f"{len(started) - first} starts; {spent_s:.0f} s of {whole_s:.0f} CPU s, three plays each"
    )
    return _figures(part, started[first:], past[first:], note)


def _foretold(twin: Twin, estimates: Estimates) -> list[Case]:
    """Refresh the estimates, and say what those of gangs that are new in the line are."""
    state = twin.state
    snapshot = state.encoder.snapshot(
        twin.now_ms,
        resume=state.resume,
        hold=state.hold,
        dated=state.policy.dated,
        shares=state.policy.needs_shares,
    )
    plays = estimates.plays(snapshot, state.policy)
    estimates.refreshed(plays, plays.run(), still=lambda _gang: True)
    limits = ahead_of(snapshot, state.policy, estimates.outlook, None)
    while limits.advance():
        pass
    cases: list[Case] = []
    for gang in snapshot.gangs.ids:
        told = estimates.scores.awaited(gang)
        if told is not None and told.at_ms == twin.now_ms:
            cases.append(Case(gang=gang, told=told, limits_ms=limits.start_ms(gang)))
    return cases


def _past(cases: Sequence[Case]) -> list[tuple[float, float]]:
    """For each case the quantiles of the waits of all gangs that had started when it was told."""
    ends = [(case.told.started_ms or 0, case.told.at_ms) for case in cases]
    heapify(ends)
    waits: list[int] = []
    known, quantiles = 0, (0.0, 0.0)
    found: list[tuple[float, float]] = []
    for case in cases:
        while ends and ends[0][0] <= case.told.at_ms:
            end_ms, at_ms = heappop(ends)
            waits.append(end_ms - at_ms)
        if len(waits) > known * 1.02:
            half, most = np.quantile(waits, [P50, P90])
            known, quantiles = len(waits), (float(half), float(most))
        found.append(quantiles)
    return found


def _figures(
    part: Part, cases: Sequence[Case], past: Sequence[tuple[float, float]], note: str
) -> list[Figure]:
    if not cases:
        return []
    starts = [case.told.started_ms or 0 for case in cases]
    waits = [start - case.told.at_ms for start, case in zip(starts, cases, strict=True)]
    ours = _loss(
        waits,
        [
            (c.told.estimate.p50_ms - c.told.at_ms, c.told.estimate.p90_ms - c.told.at_ms)
            for c in cases
        ],
    )
    half = sum(s <= c.told.estimate.p50_ms for s, c in zip(starts, cases, strict=True)) / len(cases)
    most = sum(s <= c.told.estimate.p90_ms for s, c in zip(starts, cases, strict=True)) / len(cases)
    against = _loss(waits, past)
    figures = [
        Figure(what=f"{part.name}: P50 covers", value=100 * half, unit="%", note=note),
        Figure(
            what=f"{part.name}: P50 is off by", value=abs(100 * half - 50), unit="points", goal=10
        ),
        Figure(what=f"{part.name}: P90 covers", value=100 * most, unit="%"),
        Figure(
            what=f"{part.name}: P90 is off by", value=abs(100 * most - 90), unit="points", goal=5
        ),
        Figure(
            what=f"{part.name}: pinball, of past waits'",
            value=ours / against,
            unit="",
            goal=0.8,
            note=f"{ours:.0f} s against {against:.0f} s",
        ),
    ]
    if part.limits:
        limits = [
            (float(ms - c.told.at_ms),) * 2 if (ms := c.limits_ms) is not None else (0.0, 0.0)
            for c in cases
        ]
        alone = _loss(waits, limits)
        figures.append(
            Figure(
                what=f"{part.name}: pinball, of limits'",
                value=ours / alone,
                unit="",
                goal=0.8,
                note=f"{ours:.0f} s against {alone:.0f} s",
            )
        )
    return figures


def _loss(waits: Sequence[int], told: Sequence[tuple[float, float]]) -> float:
    """The mean pinball loss of both quantiles, in seconds."""
    losses = [
        (pinball(wait - half, P50) + pinball(wait - most, P90)) / 2
        for wait, (half, most) in zip(waits, told, strict=True)
    ]
    return sum(losses) / len(losses) / 1000


def _scenario(part: Part) -> Scenario:
    file = found(*part.trace)
    assert file is not None, "looked for before"
    if part.trace == RICC:
        works = read_swf(file, jobs_max=part.start + part.jobs).works
        nodes = build_site(NodeGroup(nodes=1024, cores=8, memory_bytes=12_000_000 * KIB))
    else:
        mapped = Mapped(columns=PHILLY, node_gpus=8)
        works = read_table(file, mapped, jobs_max=part.start + part.jobs).works
        nodes = build_site(NodeGroup(nodes=56, cores=64, gpus=8, memory_bytes=512 * GIB))
    policy = POLICIES[part.policy]
    return Scenario(nodes=nodes, workload=_from(works, part.start), policy=policy, check=False)


def _from(works: Sequence[Work], start: int) -> tuple[Work, ...]:
    """Works from the one numbered `start` on, as if time began with it."""
    first_ms = works[start].at_ms
    return tuple(replace(work, at_ms=work.at_ms - first_ms) for work in works[start:])
