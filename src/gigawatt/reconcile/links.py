"""What lies between nodes: two whose ranks lost each other, and racks or leaves whose nodes fail together.

A switch or a cable is seen at the nodes behind it alone. So a failure of communication between two nodes is laid to
both, and where many nodes of one domain have failures laid to them, and few elsewhere, it is the domain's.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gigawatt.model.attempt import Attempt, RankStatus
from gigawatt.model.node import TOPOLOGY_LEVELS, Node, NodeState
from gigawatt.model.suspicion import score
from gigawatt.model.world import World

SUSPECT_SCORE = 500  # from here on retries avoid a node
SWITCHED = (
    "nvlink",
    "rack",
    "leaf",
    "spine",
)  # levels behind something that can fail, the innermost first
TOGETHER_MIN = 3  # nodes of a domain with failures, at least half of it
OTHERS_MIN = 3  # nodes outside of it
FEW_OF = 8  # of those, at most one of so many has failures too
MOMENT_MS = 5_000

# What NCCL, gloo and MPI say when the other side is silent or gone, in lower case.
LOST_WORDS = (
    "connection reset by peer",
    "connection closed by peer",
    "connection refused",
    "socket timeout",
    "nccl watchdog",
    "collective operation timeout",
    "ncclremoteerror",
    "ncclsystemerror",
    "ncclinternalerror",
    "gloo connectfullmesh failed",
    "timed out waiting",
    "no route to host",
    "ib_wc_retry_exc_err",
    "transport retry counter exceeded",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two nodes whose ranks lost each other, sorted, and one line that says so."""

    nodes: tuple[str, str]
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A domain that stands out: so many of its nodes have failures laid to them, and so many of the others."""

    level: str
    name: str
    nodes: tuple[str, ...]
    failing: int
    others: int
    others_failing: int

    @property
    def detail(self) -> str:
        return (
            f"{self.level} {self.name}: attempts failed on {self.failing} of its {len(self.nodes)} nodes,"
            f" and on {self.others_failing} of {self.others} others: what is between them, rather than one of them"
        )


def lost_pair(world: World, attempt: Attempt) -> Pair | None:
    """The two nodes whose ranks lost each other; None where some rank failed in another way, or more are involved.

    A rank that names the address of another node says which; of a gang on two nodes it is the other. Else all that
    failed at that moment are involved.
    """
    failed = [rank for rank in attempt.ranks if rank.failed and not rank.asked]
    first_ms = min((rank.ended_ms for rank in failed if rank.ended_ms is not None), default=0)
    together = [rank for rank in failed if (rank.ended_ms or 0) - first_ms <= MOMENT_MS]
    said = [(rank, line) for rank in together if (line := _lost_line(rank))]
    if not together or len(said) < len(together):
        return None
    nodes = {rank.node for rank in together}
    for rank, _ in said:
        nodes |= _named(world, attempt, rank)
    if len(nodes) == 1 and len(attempt.nodes) == 2:
        nodes = set(attempt.nodes)
    if len(nodes) != 2:
        return None
    one, other = sorted(nodes)
    return Pair(nodes=(one, other), line=said[0][1])


def parting(world: World, pair: Pair) -> str:
    """Where their ways part, from the site down: the innermost domain that holds both; "" where none is known."""
    one, other = (world.nodes[node].report.topology for node in pair.nodes)
    shared = ""
    for level, mine, its in zip(TOPOLOGY_LEVELS, one, other, strict=True):
        if mine != its:
            break
        shared = f"{level} {mine}" if mine else shared
    return shared


def suspect_domain(world: World, node: Node, *, now_ms: int) -> Domain | None:
    """The innermost domain of the node that stands out against all other nodes; None where none does."""
    failing = set(failing_nodes(world, now_ms=now_ms))
    if len(failing) < TOGETHER_MIN:
        return None
    known = [each for each in world.nodes.values() if each.state is not NodeState.RETIRED]
    for level in SWITCHED:
        depth = TOPOLOGY_LEVELS.index(level) + 1
        path = node.report.topology[:depth]
        if not path[-1]:
            continue
        inside = sorted(each.id for each in known if each.report.topology[:depth] == path)
        bad = len(failing.intersection(inside))
        others, others_bad = len(known) - len(inside), len(failing) - bad
        many = bad >= TOGETHER_MIN and bad * 2 >= len(inside)
        if many and others >= OTHERS_MIN and others_bad * FEW_OF <= others:
            return Domain(
                level=level,
                name=path[-1],
                nodes=tuple(inside),
                failing=bad,
                others=others,
                others_failing=others_bad,
            )
    return None


def elsewhere(world: World, node: str, others: tuple[str, ...]) -> bool:
    """Whether it is behind another switch than all of these: in another rack, as far as that is known."""
    depth = TOPOLOGY_LEVELS.index("rack") + 1
    paths = [world.nodes[each].report.topology[:depth] for each in others if each in world.nodes]
    there = world.nodes.get(node)
    own = there.report.topology[:depth] if there else ()
    return node not in others and not (own and own[-1] and own in paths)


def failing_nodes(world: World, *, now_ms: int) -> tuple[str, ...]:
    """Nodes with failures enough that retries avoid them, sorted."""
    nodes: Iterable[Node] = (world.nodes[each] for each in sorted(world.marked))
    return tuple(n.id for n in nodes if score(n.marks, now_ms=now_ms) >= SUSPECT_SCORE)


def _lost_line(rank: RankStatus) -> str:
    """The last line in which it says that it lost another; "" where it says no such thing, or ends with something else."""
    for line in reversed(rank.last_lines):
        if any(word in line.lower() for word in LOST_WORDS):
            return line
    return ""


def _named(world: World, attempt: Attempt, rank: RankStatus) -> set[str]:
    """Other nodes of the gang whose address it says."""
    lines = [line for line in rank.last_lines if any(word in line.lower() for word in LOST_WORDS)]
    addresses = {
        each: world.nodes[each].report.address for each in attempt.nodes if each in world.nodes
    }
    own = Counter(addresses.values())  # of nodes on one machine it says nothing
    return {
        node
        for node, address in addresses.items()
        if node != rank.node and own[address] == 1 and any(_says(line, address) for line in lines)
    }


def _says(line: str, address: str) -> bool:
    """Whether the address stands in the line, and not only the beginning of a longer one."""
    before, found, after = line.partition(address)
    return bool(found) and not before[-1:].isdigit() and not after[:1].isdigit()
