"""Changes with which a gang would start sooner although nothing lets it start now, each dated by a play of the line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gigawatt.model.gang import Gang, Shape
from gigawatt.model.values import replace
from gigawatt.scheduler.explain import CheapestChange
from gigawatt.scheduler.policy import Order, Policy
from gigawatt.scheduler.snapshot import DEVICE_MILLI

KINDS_MAX = 2  # other kinds of GPU that are tried
SOONER_MS = 300_000  # what is offered saves at least this,
SOONER = 0.7  # and starts within this part of the wait
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """`gang` as it would be with the change, which is not dated yet."""

    change: CheapestChange
    gang: Gang


def candidates(
    gang: Gang, policy: Policy, *, kinds: tuple[str, ...], likely_ms: int
) -> tuple[Candidate, ...]:
    """From what costs a person least: where the nodes are, a limit nearer to what gangs alike take, the kind of GPU,
    half the nodes, half the GPUs. `kinds` are those that the site has, `likely_ms` covers nine tenths of gangs alike.
    """
    return tuple(_changes(gang, policy, kinds, likely_ms))


def soonest(
    found: Mapping[str, int], tried: tuple[Candidate, ...], now_ahead_ms: int
) -> tuple[Candidate, int] | None:
    """The first change that is worth it, and how far ahead the gang then starts. `found` is by field."""
    for each in tried:
        ahead_ms = found.get(each.change.field)
        if ahead_ms is None:
            continue
        if ahead_ms <= now_ahead_ms * SOONER and ahead_ms <= now_ahead_ms - SOONER_MS:
            return each, ahead_ms
    return None


def _changes(
    gang: Gang, policy: Policy, kinds: tuple[str, ...], likely_ms: int
) -> Iterator[Candidate]:
    shape = gang.shape
    if shape.same:
        change = CheapestChange(field="gang.same", before=shape.same, after="")
        yield Candidate(change=change, gang=replace(gang, shape=replace(shape, same="")))
    shorter_ms = -(-likely_ms // MINUTE_MS) * MINUTE_MS
    by_limit = policy.dated or policy.order is Order.SHORTEST
    matters = by_limit and not policy.learned
    if matters and likely_ms and (shorter_ms < gang.duration_ms or not gang.duration_ms):
        change = CheapestChange(
            field="timeout", before=gang.duration_ms // 1000, after=shorter_ms // 1000
        )
        yield Candidate(change=change, gang=replace(gang, duration_ms=shorter_ms))
    others = [kind for kind in kinds if kind not in shape.gpu_kinds][:KINDS_MAX]
    if shape.gpu_kinds and others:
        more = (*shape.gpu_kinds, *others)
        change = CheapestChange(field="gang.gpu_kinds", before=shape.gpu_kinds, after=more)
        yield Candidate(change=change, gang=replace(gang, shape=replace(shape, gpu_kinds=more)))
    if shape.nodes_min > 1 and not _breaks(shape):
        yield _fewer_nodes(gang)
    devices = shape.per_node.milli_gpu // DEVICE_MILLI
    if devices > 1 and devices % 2 == 0 and shape.ranks_per_node in {1, devices // 2}:
        half = replace(shape.per_node, milli_gpu=devices // 2 * DEVICE_MILLI)
        change = CheapestChange(field="gang.gpus", before=devices, after=devices // 2)
        yield Candidate(change=change, gang=replace(gang, shape=replace(shape, per_node=half)))


def _breaks(shape: Shape) -> bool:
    """Whether half of its nodes is no multiple of its segments."""
    return bool(shape.segment and shape.nodes_min // 2 % shape.segment.nodes)


def _fewer_nodes(gang: Gang) -> Candidate:
    shape = gang.shape
    half, elastic = shape.nodes_min // 2, shape.nodes_max > shape.nodes_min
    change = CheapestChange(
        field="gang.nodes.min" if elastic else "gang.nodes", before=shape.nodes_min, after=half
    )
    most = shape.nodes_max if elastic else half
    return Candidate(
        change=change, gang=replace(gang, shape=replace(shape, nodes_min=half, nodes_max=most))
    )
