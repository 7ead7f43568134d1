"""From an owner and its placement to an attempt, and to what an engine needs to start it."""

from gigawatt.model.attempt import Attempt, AttemptPhase, RankStatus, Spare
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.decision import Start
from gigawatt.model.endpoint import Endpoint, Replica
from gigawatt.model.environment import HOST
from gigawatt.model.gang import GangKind, Isolation, Shape
from gigawatt.model.job import Job
from gigawatt.model.launch import Launch, Placement
from gigawatt.model.resources import Resources
from gigawatt.model.work import Work
from gigawatt.model.world import World
from gigawatt.reconcile.checkpoints import candidates, checkpoint_dir
from gigawatt.reconcile.turn import Site


def new_attempt(owner: Work, start: Start, *, world: World, now_ms: int) -> Attempt:
    """The next attempt of a gang, placed."""
    shape = owner.gang().shape
    ranks = [
        RankStatus(
            rank=index * shape.ranks_per_node + local_rank,
            node=node,
            local_rank=local_rank,
            gpus=_devices(world, start, index, local_rank, shape),
        )
        for index, node in enumerate(start.nodes)
        for local_rank in range(shape.ranks_per_node)
    ]
    return Attempt(
        n=owner.attempt.n + 1 if owner.attempt else 1,
        phase=AttemptPhase.PLACED,
        nodes=start.nodes,
        ranks=tuple(ranks),
        epoch=world.epoch,
        placed_ms=now_ms,
        resumed_from=_resumes_from(owner) if isinstance(owner, Job) else None,
        places=start.places,
        spares=_spares(world, start),
    )


def job_launch(job: Job, attempt: Attempt, *, world: World, site: Site) -> Launch:
    spec = job.spec
    return Launch(
        gang=job.id,
        attempt=attempt.n,
        kind=GangKind.JOB,
        name=spec.name,
        tenant=job.tenant,
        project=job.project,
        command=spec.command,
        env=spec.env,
        placements=placements(attempt),
        per_rank=per_rank(spec.shape),
        environment=environment_path(world, spec.environment),
        bundle=spec.bundle,
        workdir=spec.workdir,
        volumes=spec.volumes,
        uses=spec.secrets,
        checkpoint_dir=checkpoint_dir(job, site),
        resume=candidates(job, site),
        resume_must=spec.origin is not None,
        grace_s=spec.grace_s,
        terminal=spec.terminal,
        user=job.submitted_by,
        isolation=least(world, job.tenant, spec.isolation),
        shared=len(world.tenants) > 1,
    )


def replica_launch(
    replica: Replica, endpoint: Endpoint, attempt: Attempt, *, world: World
) -> Launch:
    spec = endpoint.spec_of(replica.generation)
    return Launch(
        gang=replica.id,
        attempt=attempt.n,
        kind=GangKind.REPLICA,
        name=spec.name,
        tenant=replica.tenant,
        project=replica.project,
        command=spec.command,
        env=spec.env,
        placements=placements(attempt),
        per_rank=per_rank(spec.shape),
        environment=environment_path(world, spec.environment),
        bundle=spec.bundle,
        workdir=spec.workdir,
        volumes=replica.volumes,
        uses=spec.secrets,
        model_path=spec.model_path,
        grace_s=spec.grace_s,
        readiness=spec.readiness,
        user=endpoint.created_by,
        isolation=least(world, replica.tenant),
        shared=len(world.tenants) > 1,
    )


def least(world: World, tenant: str, asked: Isolation = Isolation.NONE) -> Isolation:
    """The class that a gang gets at least: what it asks for, or what its tenant must have."""
    known = world.tenants.get(tenant)
    return max(asked, known.isolation if known else Isolation.NONE, key=lambda each: each.rank)


def placements(attempt: Attempt) -> tuple[Placement, ...]:
    """Where each rank goes."""
    return tuple(
        Placement(rank=rank.rank, node=rank.node, local_rank=rank.local_rank, gpus=rank.gpus)
        for rank in attempt.ranks
    )


def per_rank(shape: Shape) -> Resources:
    """One rank's even share of its node's part."""
    return Resources(
        milli_gpu=shape.per_node.milli_gpu // shape.ranks_per_node,
        milli_cpu=shape.per_node.milli_cpu // shape.ranks_per_node,
        memory_bytes=shape.per_node.memory_bytes // shape.ranks_per_node,
    )


def environment_path(world: World, environment: str) -> str:
    """Where it is built; empty for the host's."""
    return "" if environment == HOST else world.environments[environment].path


def _resumes_from(job: Job) -> Checkpoint | None:
    """What it will most likely resume from; the launch looks at it again, and says what it was."""
    origin = job.spec.origin
    return job.checkpoint or (origin.checkpoint if origin else None)


def _spares(world: World, start: Start) -> tuple[Spare, ...]:
    kept = start.gpus[len(start.nodes) :] or ((),) * len(start.spares)
    return tuple(
        Spare(node=node, gpus=tuple(world.nodes[node].report.gpus[place].uuid for place in places))
        for node, places in zip(start.spares, kept, strict=True)
    )


def _devices(
    world: World, start: Start, index: int, local_rank: int, shape: Shape
) -> tuple[str, ...]:
    """The uuids for one rank: its even share of the devices; a shared device is every rank's."""
    if not start.gpus or not start.gpus[index]:
        return ()
    gpus = world.nodes[start.nodes[index]].report.gpus
    uuids = [gpus[device].uuid for device in start.gpus[index]]
    each = len(uuids) // shape.ranks_per_node
    return tuple(uuids[local_rank * each : (local_rank + 1) * each]) if each else tuple(uuids)
