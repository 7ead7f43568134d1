"""Random power trees over the clusters of `strategies`, and what gangs draw of them, in plain Python."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations

from hypothesis import strategies as st

from gigawatt.model.decision import Decision
from gigawatt.model.gang import Gang, Shape
from gigawatt.model.job import Job
from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.power import Feed, Supply
from gigawatt.model.world import World
from tests.property.scheduler.checks import places_now, started, waiting
from tests.property.scheduler.strategies import NODE_IDS, worlds

FEEDS = ("site", "row-a", "row-b", "pdu")
SUPPLIES = {
    "site": ["site=s"],
    "row-a": ["rack=r1", "leaf=l1", "node=node-0", "node=node-2"],
    "row-b": ["rack=r2", "leaf=s/h/p/l2", "node=node-1"],
    "pdu": ["nvlink=d1", "node=node-3", "node=node-4"],
}
PARENTS = {"site": [""], "row-a": ["", "site"], "row-b": ["site"], "pdu": ["row-a", "row-b"]}
CAPS = [None, 0, 4_000, 30_000, 700_000, 1_420_000, 2_900_000, 6_000_000]
WATTS = {"h100": 700, "a100": 400, "": 0}


@st.composite
def feeds(draw: st.DrawFn, name: str) -> Feed:
    supplies = draw(st.lists(st.sampled_from(SUPPLIES[name]), unique=True, max_size=3))
    pairs = [text.partition("=") for text in supplies]
    return Feed(
        id=name,
        created_ms=0,
        parent=draw(st.sampled_from(PARENTS[name])),
        cap_milliwatts=draw(st.sampled_from(CAPS)),
        supplies=tuple(sorted(Supply(level=level, name=text) for level, _, text in pairs)),
        deleted_ms=draw(st.sampled_from([None] * 5 + [1])),
    )


@st.composite
def powered_worlds(draw: st.DrawFn) -> World:
    """A world with a power tree, on which some gangs that wait say what they draw."""
    world = draw(worlds())
    for name in FEEDS:
        world.put(replace(draw(feeds(name)), deleted_ms=None))
    for node in draw(st.lists(st.sampled_from(NODE_IDS), unique=True, max_size=2)):
        if node in world.nodes:
            hung = world.nodes[node]
            labels = (("power", draw(st.sampled_from([*FEEDS, "nowhere"]))),)
            world.put(replace(hung, report=replace(hung.report, labels=labels)))
    for job in list(world.jobs.values()):
        milliwatts = draw(st.sampled_from([0, 0, 0, 500_000]))
        shape = replace(job.spec.shape, milliwatts=milliwatts)
        world.put(replace(job, spec=replace(job.spec, shape=shape)))
    return world


def draw_of(shape: Shape, node: Node) -> int:
    """What one place of it draws there, in milliwatts."""
    if shape.milliwatts:
        return shape.milliwatts
    amounts = shape.per_node
    return amounts.milli_gpu * WATTS[node.gpu_kind] + amounts.milli_cpu * 4


def drawn(world: World) -> dict[str, int]:
    """What all that runs draws of each feed."""
    sums = dict.fromkeys(world.feeds, 0)
    for work in (*world.jobs.values(), *world.replicas.values()):
        attempt = work.attempt
        if attempt is None or not attempt.live:
            continue
        shape = work.spec.shape if isinstance(work, Job) else work.shape
        for node in attempt.nodes:
            amount = draw_of(shape, world.nodes[node]) * attempt.places_on(node)
            for feed in feeds_above(world, world.nodes[node]):
                sums[feed] += amount
    return sums


def feeds_above(world: World, node: Node) -> Iterator[str]:
    feed = _hangs_on(world, node)
    while feed:
        yield feed
        feed = world.feeds[feed].parent


def over_caps(world: World, after: World, decision: Decision) -> Iterator[str]:
    """A feed above a gang that was started is over its cap once it has been."""
    sums, gangs = drawn(after), waiting(world)
    for start in decision.starts:
        for node in start.nodes:
            if not draw_of(gangs[start.gang].shape, world.nodes[node]):
                continue
            for feed in feeds_above(world, world.nodes[node]):
                cap = world.feeds[feed].cap_milliwatts
                if cap is not None and sums[feed] > cap:
                    yield f"{start.gang} on {node}: {feed} carries {sums[feed]} of {cap}"


def carried(world: World, gang: Gang, nodes: Iterable[Node]) -> bool:
    """Whether as many of `nodes` as it needs can be given, within every cap, by trying them all."""
    sums, nodes = drawn(world), list(nodes)
    for kind in gang.shape.gpu_kinds or ("",):
        some = [node for node in nodes if kind in {"", node.gpu_kind}]
        for chosen in combinations(some, gang.shape.nodes_min):
            if _together(chosen, gang.shape.same) and _within(world, gang.shape, chosen, sums):
                return True
    return False


def left_waiting(
    world: World, after: World, decision: Decision
) -> Iterator[tuple[Gang, str, bool]]:
    """Gangs that start on whole nodes and wait, with the reason's code, and whether they could be started."""
    for wait in decision.waits:
        gang = waiting(world)[wait.gang]
        if gang.id in started(decision) or gang.shape.stacked:
            continue
        open_nodes = [node for node in after.nodes.values() if node.state.value == "ready"]
        fit = [node for node in open_nodes if places_now(after, node, gang)]
        alike = len({draw_of(gang.shape, node) for node in fit}) <= 1 or gang.shape.gpu_kinds
        if alike and not gang.avoid_nodes:
            yield gang, wait.reason.code.value, carried(after, gang, fit)


def _within(world: World, shape: Shape, nodes: Iterable[Node], sums: dict[str, int]) -> bool:
    more = dict.fromkeys(sums, 0)
    for node in nodes:
        for feed in feeds_above(world, node):
            more[feed] += draw_of(shape, node)
    caps = {feed: world.feeds[feed].cap_milliwatts for feed in sums}
    return all(
        cap is None or not more[feed] or sums[feed] + more[feed] <= cap
        for feed, cap in caps.items()
    )


def _together(nodes: Iterable[Node], same: str) -> bool:
    if not same:
        return True
    depth = TOPOLOGY_LEVELS.index(same)
    return len({node.report.topology[: depth + 1] for node in nodes}) == 1 and all(
        node.report.topology[depth] for node in nodes
    )


def _hangs_on(world: World, node: Node) -> str:
    label = dict(node.report.labels).get("power", "")
    if label in world.feeds:
        return label
    topology = node.report.topology
    for depth in reversed(range(len(TOPOLOGY_LEVELS))):
        path = "/".join(part for part in topology[: depth + 1] if part)
        for name in (path, topology[depth]):
            wanted = Supply(level=TOPOLOGY_LEVELS[depth], name=name)
            found = [feed.id for feed in world.feeds.values() if wanted in feed.supplies]
            if topology[depth] and found:
                return max(found)
    return ""
