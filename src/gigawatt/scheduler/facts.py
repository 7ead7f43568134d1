"""What the world says, in the scheduler's terms: what a live attempt occupies, and which gang waits.

The incremental and the cold encoder both read the world through these functions, and differ in everything else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gigawatt.model.attempt import Attempt
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Gang, Isolation, Shape
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.resources import Resources
from gigawatt.model.work import Work
from gigawatt.model.workspace import Workspace, WorkspacePhase
from gigawatt.scheduler.snapshot import DEVICE_BITS, DEVICE_MILLI, ISOLATIONS, NEVER_MS
from gigawatt.scheduler.terms import held_nodes, level_code, terms_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What one live attempt occupies, spares included: on each of `nodes` the same amounts, and the devices it was given there.

    `places` says of a stacked gang how many times that is; where it says nothing, it is once.
    """

    nodes: tuple[str, ...]
    per_node: Resources
    devices: tuple[tuple[str, ...], ...]  # uuids by node, by rank; () where no GPU is asked
    sealed: bool  # nothing else may run on its nodes
    end_ms: int  # when it must have ended; NEVER_MS where that is not known
    places: Mapping[str, int]
    milliwatts: int = 0  # that it says it draws of each node; 0: by its amounts

    def on(self, node: str) -> tuple[str, ...]:
        """The devices that it was given on one of its nodes."""
        return self.devices[self.nodes.index(node)] if self.devices else ()

    def same_place(self, other: "Footprint | None") -> bool:
        """Whether both occupy the same; when they end is no matter."""
        return other is not None and (
            (self.nodes, self.per_node, self.devices, self.sealed, self.places, self.milliwatts)
            == (
                other.nodes,
                other.per_node,
                other.devices,
                other.sealed,
                other.places,
                other.milliwatts,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left of one node when its gangs have theirs."""

    free: tuple[int, ...]  # in the order of KINDS
    device_free: tuple[int, ...]  # milli-GPUs of each device
    gangs: int
    sealed: bool
    uses: tuple[tuple[int, ...], ...]  # in the order of NODE_USES, by end


def footprint(work: Work) -> Footprint | None:
    """What the newest attempt occupies while it lives."""
    attempt = work.attempt
    if attempt is None or not attempt.live:
        return None
    shape, isolation = _shape(work)
    return Footprint(
        nodes=attempt.held,
        per_node=shape.per_node,
        devices=_devices(attempt) if shape.per_node.milli_gpu else (),
        sealed=isolation is Isolation.NODE,
        end_ms=_end_ms(work, attempt),
        places=dict(zip(attempt.nodes, attempt.places, strict=True)) if attempt.places else {},
        milliwatts=shape.milliwatts,
    )


def waiting(work: Work) -> Gang | None:
    """Its entry in the line, if it waits for nodes."""
    attempt = work.attempt
    if attempt is not None and attempt.live:
        return None
    match work:
        case Job():
            waits = work.phase is JobPhase.QUEUED and not work.barred
        case Replica():
            waits = work.ended_ms is None and not work.stopping
        case Workspace():
            waits = work.phase is WorkspacePhase.QUEUED
    return work.gang() if waits else None


def rest(node: Node, uses: Iterable[Footprint]) -> Rest:
    """A node less what its gangs use.

    A gang whose devices cannot be told (none named, or names this node does not have) makes every device of the
    node unavailable: handing out one that is in use is worse than handing out none.
    """
    free = list(node.total.vector())
    device_free = [DEVICE_MILLI] * len(node.report.gpus)
    sealed, known = False, True
    taken: list[tuple[int, ...]] = []
    for use in uses:
        sealed = sealed or use.sealed
        places = use.places.get(node.id, 1)
        amounts = tuple(amount * places for amount in use.per_node.vector())
        free = [have - took for have, took in zip(free, amounts, strict=True)]
        milli = use.per_node.milli_gpu
        named = named_devices(node, use.on(node.id))
        known = known and len(named) >= devices_of(milli) * places
        for index in named:
            device_free[index] -= min(milli, DEVICE_MILLI)
        taken.append((use.end_ms, *amounts, _bits(named)))
    if not known:
        device_free = [0] * len(device_free)
    return Rest(
        free=tuple(free),
        device_free=tuple(device_free),
        gangs=len(taken),
        sealed=sealed,
        uses=tuple(sorted(taken)),
    )


def named_devices(node: Node, uuids: Sequence[str]) -> list[int]:
    """The places in the node's report of these devices."""
    return [place for place, gpu in enumerate(node.report.gpus) if gpu.uuid in uuids]


def devices_of(milli_gpu: int) -> int:
    """How many devices an amount takes: whole ones from one device on, a share of one below, none for 0."""
    return -(-milli_gpu // DEVICE_MILLI)


def domain_paths(node: Node) -> tuple[tuple[str, ...] | None, ...]:
    """For each level the domain the node is in, named by its path from the site; None where it is not known."""
    names = node.report.topology
    assert len(names) == len(TOPOLOGY_LEVELS), f"{node.id}: {names}"
    return tuple(names[: depth + 1] if name else None for depth, name in enumerate(names))


def gang_numbers(gang: Gang) -> tuple[tuple[int, ...] | int, ...]:
    """The columns of `snapshot.GANG_NUMBERS`, in their order."""
    shape = gang.shape
    return (
        shape.per_node.vector(),
        held_nodes(shape, shape.nodes_min),
        held_nodes(shape, shape.nodes_max),
        shape.ranks_per_node,
        level_code(shape.same),
        ISOLATIONS.index(gang.isolation),
        gang.priority,
        gang.queued_ms,
        gang.duration_ms,
        gang.latest_ms,
        gang.attained_ms,
        gang.shape.stacked,
    )


def gang_values(gang: Gang) -> tuple[object, ...]:
    """The values behind the columns of `snapshot.GANG_CODES`, in their order."""
    return (
        gang.shape.gpu_kinds,
        gang.avoid_nodes,
        tuple((window.start_ms, window.end_ms) for window in gang.windows),
        gang.data,
        terms_code(gang.shape),
        gang.tenant,
        gang.project,
    )


def _end_ms(work: Work, attempt: Attempt) -> int:
    """From the start of its ranks; until they have started, as if they did when it was placed."""
    limit_ms = work.spec.timeout_s * 1000 if isinstance(work, Job) else 0
    if not limit_ms:
        return NEVER_MS
    return (attempt.placed_ms if attempt.running_ms is None else attempt.running_ms) + limit_ms


def _bits(devices: Iterable[int]) -> int:
    return sum(1 << index for index in set(devices) if index < DEVICE_BITS)


def _shape(work: Work) -> tuple[Shape, Isolation]:
    if isinstance(work, Job):
        return work.spec.shape, work.spec.isolation
    if isinstance(work, Workspace):
        return work.spec.shape, Isolation.NONE
    return work.shape, Isolation.NONE


def _devices(attempt: Attempt) -> tuple[tuple[str, ...], ...]:
    """Those on each of its nodes, and on each of its spares."""
    nodes, ranks = attempt.nodes, attempt.ranks
    kept = tuple([spare.gpus for spare in attempt.spares])
    if tuple([rank.node for rank in ranks]) == nodes:  # one on each
        return (*[rank.gpus for rank in ranks], *kept)
    on: dict[str, dict[str, None]] = {node: {} for node in nodes}
    for rank in ranks:
        on[rank.node].update(dict.fromkeys(rank.gpus))
    return (*[tuple(on[node]) for node in nodes], *kept)
