"""Random clusters and gangs with segments, spares and spread, and what holds of where they go, in plain Python."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from hypothesis import strategies as st

from gigawatt.model.decision import Decision, Start
from gigawatt.model.gang import Segment, Shape, Spread
from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.world import World
from tests.property.scheduler.checks import places_now, waiting
from tests.scenario.build import make_job, make_node, make_shape, make_world

RACKS = ("s/h/p/l1/r1", "s/h/p/l1/r2", "s/h/p/l2/r3", "s/h/p/l2/r4", "")
LAYOUTS: list[Shape] = [
    make_shape(2),
    make_shape(3, same="leaf"),
    replace(make_shape(2), segment=Segment(nodes=2, level="rack")),
    replace(make_shape(4), segment=Segment(nodes=2, level="rack")),
    replace(make_shape((2, 6)), segment=Segment(nodes=2, level="rack")),
    replace(make_shape(4, same="leaf"), segment=Segment(nodes=2, level="rack")),
    replace(make_shape(3), segment=Segment(nodes=3, level="leaf")),
    replace(make_shape(2), segment=Segment(nodes=2, level="rack"), spares=1),
    replace(make_shape(4), segment=Segment(nodes=2, level="rack"), spares=1),
    replace(make_shape(2), spares=1),
    replace(make_shape(2, same="rack"), spares=2),
    replace(make_shape(3), spread=Spread(level="rack", at_most=1)),
    replace(make_shape((2, 5)), spread=Spread(level="rack", at_most=2)),
    replace(make_shape(3, same="leaf"), spread=Spread(level="rack", at_most=2)),
    replace(make_shape(3), spread=Spread(level="rack")),
    replace(make_shape((3, 4), same="leaf"), spread=Spread(level="rack")),
    replace(
        make_shape(4),
        segment=Segment(nodes=2, level="rack"),
        spread=Spread(level="leaf", at_most=2),
    ),
]


@st.composite
def laid_out_worlds(draw: st.DrawFn) -> World:
    """Nodes in a few racks, some of which run something, and gangs that want them in a certain way."""
    count = draw(st.integers(2, 11))
    nodes = [
        make_node(f"n{index:02d}", cpus=draw(st.sampled_from([1, 1, 1, 2])), place=place)
        for index, place in enumerate(
            draw(st.lists(st.sampled_from(RACKS), min_size=count, max_size=count))
        )
    ]
    jobs = [
        make_job(f"job-{index}", draw(st.sampled_from(LAYOUTS)), priority=9 - index)
        for index in range(draw(st.integers(1, 3)))
    ]
    return make_world(nodes, jobs)


def misplaced(world: World, decision: Decision) -> Iterator[str]:
    """What is wrong with where gangs were placed."""
    for start in decision.starts:
        shape = waiting(world)[start.gang].shape
        nodes = [world.nodes[node] for node in start.nodes]
        spares = [world.nodes[node] for node in start.spares]
        held = [*start.nodes, *start.spares]
        if len(set(held)) < len(held):
            yield f"{start.gang} has a node twice: {start}"
        if not shape.nodes_min <= len(nodes) <= shape.nodes_max:
            yield f"{start.gang} runs on {len(nodes)} nodes"
        yield from _spares(start, shape, nodes, spares)
        if shape.segment:
            for first in range(0, len(nodes), shape.segment.nodes):
                part = nodes[first : first + shape.segment.nodes]
                if not alike(part, shape.segment.level):
                    yield f"{start.gang}: a segment in several domains: {[n.id for n in part]}"
        if shape.spread and shape.spread.at_most:
            counts = Counter(domain(node, shape.spread.level) for node in [*nodes, *spares])
            if None in counts or max(counts.values()) > shape.spread.at_most:
                yield f"{start.gang}: too many in one {shape.spread.level}: {counts}"


def possible(world: World, shape: Shape) -> bool:
    """Whether the nodes that are free could hold it, by trying all of them."""
    gang = waiting(world)["asked"]
    fit = [node for node in world.nodes.values() if places_now(world, node, gang)]
    segments = shape.nodes_min // shape.segment.nodes if shape.segment else 1
    held = shape.nodes_min + shape.spares * segments
    return any(_fits(shape, chosen) for chosen in combinations(fit, held))


def alike(nodes: list[Node] | tuple[Node, ...], level: str) -> bool:
    """Whether all are in one known domain."""
    domains = {domain(node, level) for node in nodes}
    return len(domains) == 1 and None not in domains


def domain(node: Node, level: str) -> tuple[str, ...] | None:
    """The domain of a level that the node is in."""
    depth = TOPOLOGY_LEVELS.index(level)
    return node.report.topology[: depth + 1] if node.report.topology[depth] else None


def _spares(start: Start, shape: Shape, nodes: list[Node], spares: list[Node]) -> Iterator[str]:
    segments = len(nodes) // shape.segment.nodes if shape.segment else 1
    if len(spares) != shape.spares * segments:
        yield f"{start.gang} holds {len(spares)} spares"
    if shape.segment and shape.spares:
        level, each = shape.segment.level, shape.segment.nodes
        of_ranks = [domain(nodes[place * each], level) for place in range(segments)]
        of_spares = [domain(spare, level) for spare in spares]
        if sorted(of_spares) != sorted(of_ranks * shape.spares):  # pyright: ignore[reportArgumentType] - known
            yield f"{start.gang} has its spares elsewhere: {start}"


def _fits(shape: Shape, chosen: tuple[Node, ...]) -> bool:
    if shape.same and not alike(chosen, shape.same):
        return False
    if shape.segment:
        counts = Counter(domain(node, shape.segment.level) for node in chosen)
        if None in counts or any(n % (shape.segment.nodes + shape.spares) for n in counts.values()):
            return False
    if shape.spread:
        counts = Counter(domain(node, shape.spread.level) for node in chosen)
        if None in counts or max(counts.values()) > (shape.spread.at_most or len(chosen)):
            return False
    return True
