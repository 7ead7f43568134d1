"""What the world says of gangs that run and of what is kept, in the scheduler's terms.

The incremental and the cold encoder both read the world through these functions, as they do through `facts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Gang, Isolation
from gigawatt.model.job import Job
from gigawatt.model.plan import Claim
from gigawatt.model.work import Work
from gigawatt.scheduler.facts import Footprint, devices_of, footprint, waiting
from gigawatt.scheduler.running import GANG_KINDS, RUNNING_NUMBERS, UNKNOWN_DEVICES
from gigawatt.scheduler.snapshot import DEVICE_BITS, NEVER_MS, NONE

STOPPABLE = frozenset({AttemptPhase.PLACED, AttemptPhase.STARTING, AttemptPhase.RUNNING})
LOST = frozenset({"node_down", "lost"})
SAVED = list(RUNNING_NUMBERS).index("saved_ms_R")
REPLICA_GRACE_MS = 10_000  # an endpoint's own is not known here; it only dates what is told

Places = Mapping[str, Mapping[str, int]]  # by node: the place of each of its devices, by uuid
Rows = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGang:
    """A gang that holds nodes: what it asks for, what it has, and what stopping it would cost."""

    gang: Gang
    held: Footprint
    numbers: tuple[int, ...]  # in the order of RUNNING_NUMBERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A claim and the amounts that it is of."""

    gang: Gang
    claim: Claim


def running(work: Work) -> RunningGang | None:
    """What its live attempt is to plans; None where it has none."""
    attempt, held = work.attempt, footprint(work)
    if attempt is None or held is None:
        return None
    gang = work.gang()
    began_ms = attempt.placed_ms if attempt.running_ms is None else attempt.running_ms
    saved_ms = NEVER_MS
    if isinstance(work, Job):
        saved_ms = max(began_ms, work.checkpoint.at_ms if work.checkpoint else 0)
    numbers = (
        attempt.n,
        attempt.placed_ms,
        saved_ms,
        REPLICA_GRACE_MS if isinstance(work, Replica) else work.spec.grace_s * 1000,
        sum(1 for each in work.attempts if each.stopped_for not in {"", work.id}),
        attempt.phase in STOPPABLE,
        GANG_KINDS.index(gang.kind),
        (attempt.first_step_ms or attempt.running_ms or attempt.placed_ms) - attempt.placed_ms,
        attempt.grow_asked_ms,
    )
    return RunningGang(gang=gang, held=held, numbers=numbers)


def growing(work: Work) -> RunningGang | None:
    """The same of a job that runs on fewer nodes than it takes, and has shown that it saves; None of any other."""
    attempt = work.attempt
    if not isinstance(work, Job) or attempt is None or attempt.phase is not AttemptPhase.RUNNING:
        return None
    if len(attempt.nodes) >= work.spec.shape.nodes_max or attempt.places or not work.checkpoint:
        return None
    runs = running(work)
    if runs is None:
        return None
    numbers = list(runs.numbers)
    if not _whole(work, attempt.n):
        numbers[SAVED] = attempt.running_ms or attempt.placed_ms
    avoid = tuple(node for node in runs.gang.avoid_nodes if not _was_lost(work, node))
    return replace(runs, gang=replace(runs.gang, avoid_nodes=avoid), numbers=tuple(numbers))


def kept(work: Work) -> Kept | None:
    """What is kept for it while it waits, or until it has stopped so as to move."""
    claim, attempt = work.claim, work.attempt
    moves = attempt is not None and attempt.live and bool(attempt.stopped_for)
    if claim is None or not (moves or waiting(work)):
        return None
    return Kept(gang=work.gang(), claim=claim)


def running_parts(gang: RunningGang, rows: Rows, places: Places) -> list[tuple[int, int, int]]:
    """The columns of PARTS, for each of its nodes."""
    held, milli = gang.held, gang.gang.shape.per_node.milli_gpu
    parts: list[tuple[int, int, int]] = []
    for node, uuids in zip(held.nodes, held.devices or ((),) * len(held.nodes), strict=True):
        count = held.places.get(node, 1)
        on = places.get(node, {})
        named = [on[uuid] for uuid in uuids if uuid in on]
        known = len(named) >= devices_of(milli) * count and max(named, default=0) < DEVICE_BITS
        bits = sum(1 << place for place in set(named)) if known else UNKNOWN_DEVICES
        parts.append((rows.get(node, NONE), count, bits))
    return parts


def claim_parts(kept: Kept, rows: Rows) -> list[tuple[int, int, int]]:
    """The columns of PARTS, for each of its nodes; none of a claim that has lapsed."""
    claim = kept.claim
    if claim.lapsed_ms:
        return []
    devices = claim.gpus or ((),) * len(claim.nodes)
    counts = claim.places or (1,) * len(claim.nodes)
    return [
        (rows.get(node, NONE), count, sum(1 << place for place in on))
        for node, count, on in zip(claim.nodes, counts, devices, strict=True)
    ]


def claim_numbers(kept: Kept) -> tuple[Sequence[int] | int, ...]:
    """The columns of CLAIM_NUMBERS, in their order."""
    claim = kept.claim
    return (
        kept.gang.shape.per_node.vector(),
        kept.gang.isolation is Isolation.NODE,
        claim.free_ms,
        claim.until_ms,
        claim.lapsed_ms,
        claim.stopped,
        claim.moved,
        claim.spares,
    )


def _whole(job: Job, attempt: int) -> bool:
    """Whether all ranks that reported a part of the attempt's step before its newest have reported one of that too."""
    steps: dict[int, set[int]] = {}
    for each in job.history:
        if each.attempt == attempt:
            steps.setdefault(each.step, set()).add(each.rank)
    ranks = list(steps.values())[-2:]
    return not ranks or ranks[0] <= ranks[-1]


def _was_lost(job: Job, node: str) -> bool:
    """Whether nothing speaks against a node but that it was lost once: back in use, it may be had again."""
    blames = [each for each in job.attempts if node in each.blamed]
    lost = [fact for each in blames for fact in each.evidence if fact.node == node]
    return (
        len(blames) == 1
        and node not in job.avoids
        and bool(lost)
        and all(fact.what in LOST for fact in lost)
    )
