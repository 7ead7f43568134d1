"""Small worlds for tests: nodes, jobs and replicas with everything that does not matter filled in."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gigawatt.model.attempt import Attempt, AttemptPhase, Evidence, RankStatus, Spare, Verdict
from gigawatt.model.decision import Decision, Start
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Isolation, Shape, Window
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.node import TOPOLOGY_LEVELS, Gpu, Node, NodeReport, NodeState
from gigawatt.model.resources import Resources
from gigawatt.model.volume import Mount
from gigawatt.model.world import World

GIB = 1 << 30
NOW_MS = 1_800_000_000_000


def make_node(
    id: str,
    *,
    gpus: int = 0,
    kind: str = "h100",
    cpus: int = 8,
    memory: int = 32,
    place: str = "",
    state: NodeState = NodeState.READY,
    cached: Sequence[str] = (),
) -> Node:
    """`place` is "site/hall/spine/leaf/rack/nvlink", from the left as far as known; `memory` is in GiB."""
    path = [*place.split("/")] if place else []
    path += [""] * (len(TOPOLOGY_LEVELS) - 1 - len(path)) + [id]
    devices = tuple(
        Gpu(uuid=f"GPU-{id}-{index}", index=index, kind=kind, memory_bytes=80 * GIB)
        for index in range(gpus)
    )
    total = Resources(milli_gpu=gpus * 1000, milli_cpu=cpus * 1000, memory_bytes=memory * GIB)
    report = NodeReport(id=id, total=total, topology=tuple(path), address="", gpus=devices)
    return Node(id=id, state=state, reason="", report=report, changed_ms=0, cached=tuple(cached))


def make_shape(
    nodes: int | tuple[int, int] = 1,
    *,
    milli_gpu: int = 0,
    milli_cpu: int = 1000,
    memory: int = 0,
    kinds: Sequence[str] = (),
    same: str = "",
    ranks: int = 1,
    stacked: bool = False,
) -> Shape:
    """`nodes` is a count, or the least and the most of an elastic gang, or places; `memory` is in GiB."""
    least, most = (nodes, nodes) if isinstance(nodes, int) else nodes
    return Shape(
        nodes_min=least,
        nodes_max=most,
        ranks_per_node=ranks,
        per_node=Resources(milli_gpu=milli_gpu, milli_cpu=milli_cpu, memory_bytes=memory * GIB),
        gpu_kinds=tuple(kinds),
        same=same,
        stacked=stacked,
    )


def make_job(
    id: str,
    shape: Shape,
    *,
    priority: int = 0,
    queued_ms: int = NOW_MS,
    attempts: tuple[Attempt, ...] = (),
    phase: JobPhase = JobPhase.QUEUED,
    isolation: Isolation = Isolation.PROCESS,
    windows: tuple[Window, ...] = (),
    project: str = "default",
    data: Sequence[tuple[str, int]] = (),
    timeout_s: int = 0,
    deadline_ms: int = 0,
) -> Job:
    spec = JobSpec(
        name=id,
        command=("true",),
        shape=shape,
        environment="host",
        priority=priority,
        isolation=isolation,
        windows=windows,
        volumes=tuple(
            Mount(volume=digest, path=digest, number=1, digest=digest, size_bytes=size)
            for digest, size in data
        ),
        timeout_s=timeout_s,
    )
    return Job(
        id=id,
        tenant="default",
        project=project,
        spec=spec,
        phase=phase,
        created_ms=queued_ms,
        queued_ms=queued_ms,
        submitted_by="somebody",
        attempts=attempts,
        deadline_ms=deadline_ms,
    )


def make_replica(
    id: str,
    shape: Shape,
    *,
    priority: int = 100,
    queued_ms: int = NOW_MS,
    attempts: tuple[Attempt, ...] = (),
    stopping: bool = False,
) -> Replica:
    return Replica(
        id=id,
        endpoint="endpoint",
        tenant="default",
        project="default",
        shape=shape,
        priority=priority,
        queued_ms=queued_ms,
        attempts=attempts,
        stopping=stopping,
    )


def make_attempt(
    nodes: Sequence[Node],
    *,
    devices: Sequence[Sequence[int]] = (),
    ranks: int = 1,
    n: int = 1,
    phase: AttemptPhase = AttemptPhase.RUNNING,
    places: tuple[int, ...] = (),
    spares: tuple[Spare, ...] = (),
) -> Attempt:
    """An attempt on `nodes`; `devices` are the places of the GPUs it has on each of them."""
    statuses = [
        RankStatus(
            rank=index * ranks + local,
            node=node.id,
            local_rank=local,
            gpus=tuple(node.report.gpus[place].uuid for place in devices[index]) if devices else (),
        )
        for index, node in enumerate(nodes)
        for local in range(ranks)
    ]
    return Attempt(
        n=n,
        phase=phase,
        nodes=tuple(node.id for node in nodes),
        ranks=tuple(statuses),
        epoch=1,
        placed_ms=NOW_MS,
        places=places,
        spares=spares,
    )


def make_world(nodes: Iterable[Node] = (), work: Iterable[Job | Replica] = ()) -> World:
    world = World(epoch=1)
    for entity in (*nodes, *work):
        world.put(entity)
    return world


def apply_starts(world: World, decision: Decision) -> list[Job | Replica]:
    """Put every started gang into the world with its attempt placed; what was put."""
    put: list[Job | Replica] = []
    for start in decision.starts:
        work = world.jobs.get(start.gang) or world.replicas[start.gang]
        attempt = make_attempt(
            [world.nodes[node] for node in start.nodes],
            devices=start.gpus,
            n=len(work.attempts) + 1,
            phase=AttemptPhase.PLACED,
            places=start.places,
            spares=spares_of(world, start),
        )
        if isinstance(work, Job):
            work = work.moved(JobPhase.STARTING)
        put.append(work.with_attempt(attempt))
        world.put(put[-1])
    return put


def spares_of(world: World, start: Start) -> tuple[Spare, ...]:
    """The spares of a start, with the devices that are kept there."""
    kept = start.gpus[len(start.nodes) :] or ((),) * len(start.spares)
    return tuple(
        Spare(node=node, gpus=tuple(world.nodes[node].report.gpus[place].uuid for place in places))
        for node, places in zip(start.spares, kept, strict=True)
    )


def failed_on(job: Job, suspects: Sequence[str]) -> Job:
    """The job after an attempt that ended for infrastructure, with evidence against nodes."""
    facts = tuple(Evidence(at_ms=0, what="lost", detail="", node=node) for node in suspects)
    ended = replace(
        make_attempt([], phase=AttemptPhase.ENDED),
        verdict=Verdict.INFRASTRUCTURE,
        evidence=facts,
    )
    return job.with_attempt(ended)
