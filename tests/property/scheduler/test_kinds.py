"""What quotas and limits of single kinds of GPU promise, by sums of their own."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.gang import Gang
from gigawatt.model.job import Job
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.reason import ReasonCode
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide, finish
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.index import Memo
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import decision_bytes, dump, load
from tests.property.scheduler.checks import carried_out, waiting
from tests.scenario.build import NOW_MS, apply_starts, make_job, make_node, make_shape, make_world

KINDS = ("a100", "b200", "h100")
NAMES = ("one", "two", "team")
POLICIES = (
    Policy(),
    Policy(hold_after_ms=0),
    Policy(reclaim=True, preempt=True, consolidate=True, min_run_ms=0),
)
SIZES = [1, 1, 1, 2, (1, 3)]
GPUS = [0, 500, 1000, 2000, 4000]
AMOUNTS = [0, 2000, 4000, 4000, 6000, 8000]


@st.composite
def bounds(draw: st.DrawFn, *, any_kind: bool) -> Bounds:
    total = draw(st.sampled_from([None, None, None, 4000, 8000])) if any_kind else None
    kinds = draw(st.dictionaries(st.sampled_from(KINDS), st.sampled_from(AMOUNTS), max_size=2))
    return Bounds(milli_gpu=total, kinds=tuple(sorted(kinds.items())))


@st.composite
def kind_worlds(draw: st.DrawFn) -> World:
    """Nodes of several kinds, some of them in use, and projects with bounds by kind in a small tree."""
    nodes = [
        make_node(f"n{n}", gpus=draw(st.sampled_from([2, 4])), kind=kind, cpus=64)
        for n, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=6)))
    ]
    world = make_world(nodes)
    for n in range(draw(st.integers(0, 4))):
        world.put(draw(jobs(f"running-{n}")))
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    world.put(Tenant(id="default", created_ms=0))
    for name in NAMES:
        quota = draw(bounds(any_kind=True))
        terms = Entitlement(
            parent=draw(st.sampled_from(["", "team"])) if name != "team" else "",
            quota=quota,
            limit=draw(bounds(any_kind=False)),
            borrows=quota == Bounds() or draw(st.booleans()),
        )
        project = Project(id=f"default/{name}", tenant="default", name=name, created_ms=0)
        world.put(replace(project, entitlement=terms))
    for n in range(draw(st.integers(1, 6))):
        world.put(draw(jobs(f"waiting-{n}")))
    return world


@st.composite
def jobs(draw: st.DrawFn, id: str) -> Job:
    nodes, milli_gpu = draw(st.sampled_from(SIZES)), draw(st.sampled_from(GPUS))
    shape = make_shape(
        nodes,
        milli_gpu=milli_gpu,
        kinds=draw(st.lists(st.sampled_from(KINDS), max_size=2, unique=True)),
        stacked=isinstance(nodes, int) and milli_gpu >= 1000 and draw(st.booleans()),
    )
    return make_job(
        id,
        shape,
        project=draw(st.sampled_from(["one", "two"])),
        priority=draw(st.sampled_from([0, 0, 5])),
        queued_ms=NOW_MS - draw(st.sampled_from([0, 1, 700_000])),
    )


def used(world: World) -> Counter[tuple[str, str]]:
    """Milli-GPUs by project and kind, at every level."""
    found: Counter[tuple[str, str]] = Counter()
    for job in world.jobs.values():
        attempt = job.attempt
        if attempt is None or not attempt.live:
            continue
        places = attempt.places or (1,) * len(attempt.held)
        for node, many in zip(attempt.held, places, strict=True):
            amount = job.spec.shape.per_node.milli_gpu * many
            for project in chain(world, job.project):
                found[project.name, world.nodes[node].gpu_kind] += amount
    return found


def chain(world: World, name: str) -> list[Project]:
    project, found = world.projects.get(f"default/{name}"), list[Project]()
    while project is not None:
        found.append(project)
        project = world.projects.get(f"default/{project.entitlement.parent}")
    return found


def most(project: Project, kind: str) -> int | None:
    """The least of what may be used of it; None without a bound."""
    terms = project.entitlement
    found = [dict(terms.limit.kinds).get(kind)]
    if not terms.borrows:
        unnamed = 0 if terms.quota.kinds and terms.quota.milli_gpu is None else None
        found.append(dict(terms.quota.kinds).get(kind, unnamed))
    return min((each for each in found if each is not None), default=None)


@given(world=kind_worlds(), policy=st.sampled_from(POLICIES))
def test_nothing_is_started_over_a_limit_of_a_kind(world: World, policy: Policy) -> None:
    snapshot = encode_cold(world, NOW_MS, plans=policy.plans)
    before = used(world)
    after = used(carried_out(world, decide(snapshot, policy)))
    for (name, kind), amount in after.items():
        bound = most(world.projects[f"default/{name}"], kind)
        assert bound is None or amount <= bound or amount <= before[name, kind]


def fits(world: World, gang: Gang, kind: str) -> bool:
    """Whether so many nodes of the kind have room, by cards alone: cores and memory are plenty here."""
    free: list[int] = []
    for node in world.nodes.values():
        if node.gpu_kind == kind:
            taken: Counter[str] = Counter()
            for job in world.jobs.values():
                attempt = job.attempt
                if attempt is None or not attempt.live:
                    continue
                for rank in attempt.ranks:
                    if rank.node == node.id:
                        for uuid in rank.gpus:
                            taken[uuid] += min(job.spec.shape.per_node.milli_gpu, 1000)
            idle = sum(taken[gpu.uuid] == 0 for gpu in node.report.gpus)
            free.append(idle)
    return sum(idle * 1000 >= max(gang.shape.per_node.milli_gpu, 1) for idle in free) >= (
        gang.shape.nodes_min
    )


@given(world=kind_worlds())
def test_a_gang_waits_for_a_limit_only_where_each_of_its_kinds_has_one(world: World) -> None:
    decision = decide(encode_cold(world, NOW_MS), Policy(hold_after_ms=1 << 50))
    after = carried_out(world, decision)
    now, gangs = used(after), waiting(world)
    there = {node.gpu_kind for node in world.nodes.values()}
    for wait in decision.waits:
        gang = gangs[wait.gang]
        amount = gang.shape.per_node.milli_gpu * gang.shape.nodes_min
        if not amount:
            continue
        total_over = any(
            (bound := project.entitlement).borrows is False
            and bound.quota.milli_gpu is not None
            and sum(now[project.name, kind] for kind in KINDS) + amount > bound.quota.milli_gpu
            for project in chain(world, gang.project)
        )
        room = [
            kind
            for kind in sorted(there & set(gang.shape.gpu_kinds or there))
            if all(
                (bound := most(project, kind)) is None or now[project.name, kind] + amount <= bound
                for project in chain(world, gang.project)
            )
        ]
        if total_over:
            continue
        if not room and there & set(gang.shape.gpu_kinds or there):
            impossible = {ReasonCode.IMPOSSIBLE, ReasonCode.GPU_KIND}
            over = {ReasonCode.LIMIT, ReasonCode.QUOTA_EXCEEDED}
            assert wait.reason.code in over | impossible
        elif not gang.shape.stacked:
            assert not any(fits(after, gang, kind) for kind in room), wait


@given(world=kind_worlds(), policy=st.sampled_from(POLICIES[:2]))
def test_an_index_changes_nothing(world: World, policy: Policy) -> None:
    snapshot = encode_cold(world, NOW_MS)
    memo = Memo(0)
    assert finish(snapshot, policy, memo).decision() == decide(snapshot, policy)


@given(world=kind_worlds(), policy=st.sampled_from(POLICIES))
def test_a_recorded_cycle_is_decided_to_the_same_bytes(world: World, policy: Policy) -> None:
    snapshot = encode_cold(world, NOW_MS, plans=policy.plans)
    again, by = load(dump(snapshot, policy))
    assert decision_bytes(decide(again, by)) == decision_bytes(decide(snapshot, policy))
