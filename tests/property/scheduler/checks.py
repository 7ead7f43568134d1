"""What must hold of every decision, checked in plain Python on the world itself, sharing no code with the scheduler.

Each check gives what is wrong, as text; an empty list is a decision without fault. That each of them can find a
fault is shown in test_checks.py.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from gigawatt.model.decision import Decision, Start
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Gang, Isolation, Shape
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import TOPOLOGY_LEVELS, Node, NodeState
from gigawatt.model.reason import ReasonCode
from gigawatt.model.resources import Resources
from gigawatt.model.world import World
from tests.scenario.build import apply_starts, make_world

ONES = (1,) * 100
# The policy never came to them, whether they fit or not.
PASSED_OVER = {ReasonCode.NOT_CONSIDERED, ReasonCode.BEHIND_HEAD, ReasonCode.HOLD_AHEAD}
NEVER = {ReasonCode.NO_NODES, ReasonCode.IMPOSSIBLE, ReasonCode.GPU_KIND}


def faults(world: World, decision: Decision) -> list[str]:
    """All faults of a decision on a world."""
    return [
        *wrong_line(world, decision),
        *wrong_gangs(world, decision),
        *wrong_nodes(world, decision),
        *over_capacity(world, decision),
        *over_devices(world, decision),
        *wrong_isolation(world, decision),
        *wrong_never(world, decision),
    ]


def missed(world: World, decision: Decision, now_ms: int) -> Iterator[str]:
    """A gang waits although it fits, when the decision is carried out, on nodes that nobody else is to have."""
    after = carried_out(world, decision)
    gangs = waiting(world)
    for wait in decision.waits:
        gang, code = gangs[wait.gang], wait.reason.code
        if code in PASSED_OVER or not _in_window(gang, now_ms):
            continue
        fit = [node for node in _open(after) for _ in range(places_now(after, node, gang))]
        others = [node for node in fit if node.id not in gang.avoid_nodes]
        if together(others, gang.shape) and code is not ReasonCode.HELD_FOR_HEAD:
            yield f"{wait.gang} fits and waits for {wait.reason}"
        if code is ReasonCode.HELD_FOR_HEAD and not together(fit, gang.shape):
            yield f"{wait.gang} does not fit and waits for {wait.reason}"


def not_held(world: World, decision: Decision, now_ms: int, hold_after_ms: int) -> Iterator[str]:
    """A gang starts on a node that one ahead of it, waiting for too long, could use."""
    gangs = waiting(world)
    starts = started(decision)
    kept: dict[str, str] = {}
    for gang in sorted(gangs.values(), key=lambda each: (-each.priority, each.queued_ms, each.id)):
        start = starts.get(gang.id)
        if start is not None:
            for node in set(start.nodes) & kept.keys():
                yield f"{gang.id} starts on {node}, which {kept[node]} waits for"
        elif now_ms - gang.queued_ms > hold_after_ms and _in_window(gang, now_ms):
            for node in _usable(world, gang):
                kept.setdefault(node, gang.id)


def waiting(world: World) -> dict[str, Gang]:
    jobs = [job for job in world.jobs.values() if job.phase is JobPhase.QUEUED]
    replicas = [rep for rep in world.replicas.values() if not rep.stopping and not _lives(rep)]
    return {work.id: work.gang() for work in (*jobs, *replicas)}


def wrong_line(world: World, decision: Decision) -> Iterator[str]:
    """Every waiting gang has exactly one answer, and positions count up."""
    answered = Counter(
        [start.gang for start in decision.starts] + [wait.gang for wait in decision.waits]
    )
    if answered != Counter(waiting(world).keys()):
        yield f"answers {answered} for {sorted(waiting(world))}"
    positions = [wait.position for wait in decision.waits]
    if positions != list(range(1, len(positions) + 1)):
        yield f"positions {positions}"


def wrong_gangs(world: World, decision: Decision) -> Iterator[str]:
    """A gang starts whole, on different nodes, of one kind that it names, in one domain where it asks for that."""
    gangs = waiting(world)
    for start in decision.starts:
        gang = gangs.get(start.gang)
        if gang is None:
            yield f"{start.gang} starts without waiting"
            continue
        shape, nodes = gang.shape, [world.nodes[node] for node in start.nodes]
        count = sum(start.places) if shape.stacked else len(start.nodes)
        told = len(start.places) == (len(start.nodes) if shape.stacked else 0)
        distinct = len(set(start.nodes)) == len(start.nodes)
        if not (told and distinct and shape.nodes_min <= count <= shape.nodes_max):
            yield f"{start.gang} has {start.nodes}, not {shape.nodes_min}..{shape.nodes_max}"
        if shape.gpu_kinds and not {node.gpu_kind for node in nodes} < {*shape.gpu_kinds, "*"}:
            yield f"{start.gang} is on kinds it does not name"
        if shape.gpu_kinds and len({node.gpu_kind for node in nodes}) > 1:
            yield f"{start.gang} is on nodes of several kinds"
        domains = {_domain(node, shape.same) for node in nodes}
        if shape.same and (len(domains) != 1 or None in domains):
            yield f"{start.gang} is not in one {shape.same}: {domains}"


def wrong_nodes(world: World, decision: Decision) -> Iterator[str]:
    """No gang starts on a node that takes none, nor on a suspect while others could hold it."""
    gangs = waiting(world)
    for start in decision.starts:
        closed = [n for n in start.nodes if world.nodes[n].state is not NodeState.READY]
        if closed:
            yield f"{start.gang} starts on {closed}"
        gang = gangs.get(start.gang)
        if gang is None or not set(gang.avoid_nodes) & set(start.nodes):
            continue
        others = [n for n in _open(world) if n.id not in gang.avoid_nodes]
        if holds(others, gang.shape):
            yield f"{start.gang} starts on a suspect of its own"


def over_capacity(world: World, decision: Decision) -> Iterator[str]:
    """What runs and what starts fits on every node, in every resource."""
    shapes = waiting(world)
    for node in world.nodes.values():
        used = [amounts[node.id] for amounts, _, _ in _running(world) if node.id in amounts]
        new = [
            shapes[s.gang].shape.per_node.times(
                dict(zip(s.nodes, s.places or ONES, strict=False))[node.id]
            )
            for s in decision.starts
            if node.id in s.nodes and s.gang in shapes
        ]
        for kind in ("milli_gpu", "milli_cpu", "memory_bytes"):
            amount = sum(getattr(each, kind) for each in used + new)
            if new and any(getattr(each, kind) for each in new):
                have = getattr(node.total, kind)
                if amount > have:
                    yield f"{node.id}: {amount} of {have} {kind}"


def over_devices(world: World, decision: Decision) -> Iterator[str]:
    """No device is given beyond itself, and every gang has just the devices that it asks for."""
    shapes = {gang.id: gang.shape for gang in waiting(world).values()}
    use: Counter[str] = Counter()
    for amounts, _, on in _running(world):
        for node, uuids in on.items():
            use.update(dict.fromkeys(uuids, min(1000, amounts[node].milli_gpu)))
    for start in decision.starts:
        milli = shapes[start.gang].per_node.milli_gpu if start.gang in shapes else 0
        want = 0 if milli == 0 else max(1, milli // 1000)
        given = [len(set(places)) for places in start.gpus] or [0] * len(start.nodes)
        if given != [want * places for places in start.places or [1] * len(start.nodes)]:
            yield f"{start.gang} has {start.gpus} for {milli} milli-GPUs on {start.nodes}"
        for node, places in zip(start.nodes, start.gpus, strict=False):
            gpus = world.nodes[node].report.gpus
            use.update({gpus[place].uuid: min(1000, milli) for place in places})
    for uuid, milli in use.items():
        if milli > 1000:
            yield f"{uuid} is given {milli} times a thousandth"


def wrong_isolation(world: World, decision: Decision) -> Iterator[str]:
    """A gang that is isolated by node is alone on each of its nodes."""
    gangs = waiting(world)
    on: dict[str, list[bool]] = {}
    for _, alone, nodes in _running(world):
        for node in nodes:
            on.setdefault(node, []).append(alone)
    for start in decision.starts:
        for node in start.nodes:
            gang = gangs.get(start.gang)
            alone = gang is not None and gang.isolation is Isolation.NODE
            on.setdefault(node, []).append(alone)
    for node, alone in on.items():
        if len(alone) > 1 and any(alone):
            yield f"{node} is shared with a gang that is to be alone"


def wrong_never(world: World, decision: Decision) -> Iterator[str]:
    """A reason says never if and only if the whole cluster, empty and open, could not hold the gang."""
    gangs = waiting(world)
    for wait in decision.waits:
        if wait.reason.code in PASSED_OVER:
            continue
        held = holds(world.nodes.values(), gangs[wait.gang].shape)
        if held == (wait.reason.code in NEVER):
            yield f"{wait.gang} waits for {wait.reason}, empty cluster holds it: {held}"
        amounts = wait.reason.code is not ReasonCode.OUTSIDE_WINDOW
        if amounts and not wait.reason.have < wait.reason.need:
            yield f"{wait.gang} waits for {wait.reason}, whose numbers agree"


def holds(nodes: Iterable[Node], shape: Shape) -> bool:
    """Whether `nodes`, all of them empty, could hold the gang."""
    return together([node for node in nodes for _ in range(_places_empty(node, shape))], shape)


def places_now(world: World, node: Node, gang: Gang) -> int:
    """How many of the gang's places the node has room for beside what runs there: one at most, if it is not stacked."""
    need, free = gang.shape.per_node, node.total
    device_free = {gpu.uuid: 1000 for gpu in node.report.gpus}
    for amounts, alone, on in _running(world):
        if node.id not in on:
            continue
        if alone or gang.isolation is Isolation.NODE:
            return 0
        free -= amounts[node.id]
        for uuid in on[node.id]:
            device_free[uuid] -= min(1000, amounts[node.id].milli_gpu)
    whole = need.milli_gpu // 1000
    idle = sum(1 for milli in device_free.values() if milli == 1000)
    if not whole and need.milli_gpu > max(device_free.values(), default=0):
        return 0
    places = _times(need, free)
    if whole:
        places = min(places, idle // whole)
    return places if gang.shape.stacked else min(places, 1)


def together(fit: list[Node], shape: Shape) -> bool:
    """Whether enough of the nodes that fit are of one kind that is asked, and in one domain where that is asked."""
    return any(
        len(some) >= shape.nodes_min
        for kind in shape.gpu_kinds or ("",)
        for some in _groups([node for node in fit if kind in {"", node.gpu_kind}], shape.same)
    )


def carried_out(world: World, decision: Decision) -> World:
    """Another world, in which what the decision starts has been placed."""
    after = make_world(world.nodes.values(), [*world.jobs.values(), *world.replicas.values()])
    shares = (*world.tenants.values(), *world.projects.values(), *world.uses.values())
    for entity in (*shares, *world.feeds.values()):
        after.put(entity)
    apply_starts(after, decision)
    return after


def _places_empty(node: Node, shape: Shape) -> int:
    need = shape.per_node
    devices = len(node.report.gpus)
    if need.milli_gpu > (devices * 1000 if need.milli_gpu >= 1000 else min(devices, 1) * 1000):
        return 0
    places = _times(need, node.total)
    return places if shape.stacked else min(places, 1)


def _times(need: Resources, free: Resources) -> int:
    """How often what is needed is in what is free; once, where nothing is needed."""
    pairs = zip(need.vector(), free.vector(), strict=True)
    return min((max(have, 0) // want for want, have in pairs if want), default=1)


def _groups(nodes: list[Node], same: str) -> list[list[Node]]:
    if not same:
        return [nodes]
    groups: dict[tuple[str, ...] | None, list[Node]] = {}
    for node in nodes:
        groups.setdefault(_domain(node, same), []).append(node)
    groups.pop(None, None)
    return list(groups.values())


def _usable(world: World, gang: Gang) -> set[str]:
    """Open nodes that the gang could be given if they were empty."""
    fit = [node for node in _open(world) for _ in range(_places_empty(node, gang.shape))]
    others = [node for node in fit if node.id not in gang.avoid_nodes]
    allowed = others if together(others, gang.shape) else fit
    return {
        node.id
        for kind in gang.shape.gpu_kinds or ("",)
        for some in _groups([n for n in allowed if kind in {"", n.gpu_kind}], gang.shape.same)
        if len(some) >= gang.shape.nodes_min
        for node in some
    }


def _in_window(gang: Gang, now_ms: int) -> bool:
    return not gang.windows or any(window.contains(now_ms) for window in gang.windows)


def _domain(node: Node, level: str) -> tuple[str, ...] | None:
    if not level:
        return None
    depth = TOPOLOGY_LEVELS.index(level)
    return node.report.topology[: depth + 1] if node.report.topology[depth] else None


def _open(world: World) -> list[Node]:
    return [node for node in world.nodes.values() if node.state is NodeState.READY]


def _lives(work: Job | Replica) -> bool:
    return work.attempt is not None and work.attempt.live


def _running(world: World) -> Iterator[tuple[dict[str, Resources], bool, dict[str, list[str]]]]:
    """Of every live attempt: its amounts by node, whether it must be alone, and the uuids it has on each node."""
    for work in (*world.jobs.values(), *world.replicas.values()):
        attempt = work.attempt
        if attempt is None or not attempt.live:
            continue
        job = isinstance(work, Job)
        shape = work.spec.shape if job else work.shape
        alone = job and work.spec.isolation is Isolation.NODE
        on: dict[str, list[str]] = {node: [] for node in attempt.held}
        for rank in attempt.ranks:
            on[rank.node].extend(rank.gpus)
        for spare in attempt.spares:
            on[spare.node].extend(spare.gpus)
        places = zip(attempt.held, attempt.places or ONES, strict=False)
        yield {node: shape.per_node.times(count) for node, count in places}, alone, on


def started(decision: Decision) -> dict[str, Start]:
    return {start.gang: start for start in decision.starts}
