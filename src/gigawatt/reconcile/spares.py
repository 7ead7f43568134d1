"""Spares: nodes that a job holds beside its own, so that it goes on there when one of these fails."""

from gigawatt.model.attempt import Attempt, Verdict
from gigawatt.model.job import Job, suspects
from gigawatt.model.node import TOPOLOGY_LEVELS, NodeState
from gigawatt.model.plan import Claim
from gigawatt.model.values import replace
from gigawatt.model.work import Work
from gigawatt.reconcile import uses
from gigawatt.reconcile.turn import Turn

KEPT_MS = 300_000  # what is kept for its next attempt is anybody's after that


def gone(turn: Turn, owner: Work, attempt: Attempt, node: str) -> bool:
    """A node that it holds as a spare is no use to it any more; False of one that it runs on."""
    left = tuple(spare for spare in attempt.spares if spare.node != node)
    if len(left) == len(attempt.spares):
        return False
    uses.end_on(turn, owner, attempt, node)
    turn.put(owner.with_attempt(replace(attempt, spares=left)))
    return True


def kept(turn: Turn, job: Job, attempt: Attempt) -> Job:
    """The job with a claim on its nodes, where spares take the places of those that failed.

    Each place is taken by a spare of the same domain as the failed node, as far in as there is one; of segments, within the
    level that holds them. Without enough spares the job waits in the line as any other.
    """
    laid_to_nodes = attempt.verdict in {Verdict.INFRASTRUCTURE, Verdict.HANG}
    if not laid_to_nodes or not attempt.spares or attempt.places:
        return job
    failed = {*suspects(job.attempts), *job.avoids}
    spares = [spare.node for spare in attempt.spares if _good(turn, spare.node, failed)]
    devices = _devices(turn, attempt)
    nodes: list[str] = []
    for node in attempt.nodes:
        if _good(turn, node, failed):
            nodes.append(node)
            continue
        found = _nearest(turn, job, node, spares)
        if found is None:
            return job
        spares.remove(found)
        nodes.append(found)
    whole = (*nodes, *spares)
    gpus = tuple(devices[node] for node in whole)
    claim = Claim(
        nodes=whole,
        gpus=gpus if any(gpus) else (),
        free_ms=turn.now_ms,
        until_ms=turn.now_ms + KEPT_MS,
        spares=len(spares),
    )
    fresh = [node for node in nodes if node not in attempt.nodes]
    turn.emit("job.spares", job, f"{', '.join(fresh)}, held as spare, takes over")
    return replace(job, claim=claim)


def _good(turn: Turn, node: str, failed: set[str]) -> bool:
    there = turn.world.nodes.get(node)
    return there is not None and there.state is NodeState.READY and node not in failed


def _nearest(turn: Turn, job: Job, node: str, spares: list[str]) -> str | None:
    """The spare that shares the longest path with the node; None where that leaves its segment."""
    if not spares:
        return None
    segment, spread = job.spec.shape.segment, job.spec.shape.spread
    shared = {spare: _shared(turn, node, spare) for spare in spares}
    best = max(spares, key=lambda spare: (shared[spare], -spares.index(spare)))
    levels = [each.level for each in (segment, spread) if each]
    return None if any(not _same(turn, level, node, best) for level in levels) else best


def _shared(turn: Turn, one: str, other: str) -> int:
    """How many levels down they are in the same domain."""
    pairs = zip(_path(turn, one), _path(turn, other), strict=False)
    return next((depth for depth, (a, b) in enumerate(pairs) if a != b), 0)


def _same(turn: Turn, level: str, one: str, other: str) -> bool:
    depth = TOPOLOGY_LEVELS.index(level) + 1
    return _path(turn, one)[:depth] == _path(turn, other)[:depth]


def _path(turn: Turn, node: str) -> tuple[str, ...]:
    there = turn.world.nodes.get(node)
    return there.report.topology if there else ()


def _devices(turn: Turn, attempt: Attempt) -> dict[str, tuple[int, ...]]:
    """The places of the devices that it has on each of its nodes."""
    named: dict[str, set[str]] = {node: set() for node in attempt.held}
    for rank in attempt.ranks:
        named[rank.node].update(rank.gpus)
    for spare in attempt.spares:
        named[spare.node].update(spare.gpus)
    return {
        node: tuple(
            place for place, gpu in enumerate(turn.world.nodes[node].report.gpus) if gpu.uuid in on
        )
        for node, on in named.items()
        if node in turn.world.nodes
    }
