"""Where gangs are against how they asked to be laid out, in books of their own: from what each cycle commits.

Looked at when a gang is placed: nodes that fail, spares that take their places and labels that change come later.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gigawatt.control.cycle import Outcome
from gigawatt.model.attempt import Attempt
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Apart, Shape
from gigawatt.model.job import Job
from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.twin.limits import shape_of

Domain = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A gang that has nodes."""

    project: str
    labels: frozenset[tuple[str, str]]
    apart: tuple[Apart, ...]
    nodes: tuple[str, ...]


class Layouts:
    """Tell it of every outcome."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._placed: dict[str, Placed] = {}

    def check(self, outcome: Outcome) -> list[str]:
        """What is wrong."""
        for put in outcome.batch.puts:
            if isinstance(put, Node):
                self._nodes[put.id] = put
        moved = [
            put for put in outcome.batch.puts if isinstance(put, Job | Replica) and self._moved(put)
        ]
        faults: list[str] = []
        for work in moved:
            assert work.attempt is not None
            faults += self._scattered(work.id, shape_of(work), work.attempt)
            faults += self._beside(work.id)
        return faults

    def _moved(self, work: Job | Replica) -> bool:
        """Take down where it is now; whether it has been placed."""
        old, attempt = self._placed.pop(work.id, None), work.attempt
        if attempt is None or not attempt.live:
            return False
        self._placed[work.id] = Placed(
            project=f"{work.tenant}/{work.project}",
            labels=frozenset(work.spec.labels if isinstance(work, Job) else work.labels),
            apart=shape_of(work).apart,
            nodes=attempt.held,
        )
        return old is None

    def _scattered(self, id: str, shape: Shape, attempt: Attempt) -> Iterator[str]:
        """It is not together, or too much together, where it asked for that."""
        if shape.same and len(self._domains(attempt.held, shape.same)) > 1:
            yield f"{id} is not in one {shape.same}: {attempt.held}"
        if shape.segment is not None:
            count, level = shape.segment.nodes, shape.segment.level
            segments = [
                attempt.nodes[first : first + count]
                for first in range(0, len(attempt.nodes), count)
            ]
            for segment in segments:
                if len(segment) != count or len(self._domains(segment, level)) > 1:
                    yield f"{id} has a segment that is not {count} nodes in one {level}: {segment}"
            own = Counter(self._domain(each[0], level) for each in segments)
            spares = Counter(self._domain(each.node, level) for each in attempt.spares)
            if any(count > shape.spares * own[each] for each, count in spares.items()):
                yield f"{id} has spares beside its segments: {attempt.spares}"
        if shape.spread is not None and shape.spread.at_most:
            level, most = shape.spread.level, shape.spread.at_most
            counts = Counter(self._domain(node, level) for node in attempt.held)
            if max(counts.values()) > most:
                yield f"{id} has more than {most} nodes in one {level}: {attempt.held}"

    def _beside(self, id: str) -> Iterator[str]:
        """It is in a domain with one from which it keeps apart, or that does from it."""
        one = self._placed[id]
        for other_id, other in self._placed.items():
            if other_id == id or other.project != one.project:
                continue
            for mine, theirs in ((one, other), (other, one)):
                for term in mine.apart:
                    if set(term.labels) <= theirs.labels and self._meet(one, other, term.level):
                        yield f"{id} and {other_id} are in one {term.level}, and keep apart"

    def _meet(self, one: Placed, other: Placed, level: str) -> bool:
        mine = {self._domain(node, level) for node in one.nodes}
        return any(self._domain(node, level) in mine for node in other.nodes)

    def _domains(self, nodes: tuple[str, ...], level: str) -> set[Domain]:
        return {self._domain(node, level) for node in nodes}

    def _domain(self, id: str, level: str) -> Domain:
        """The domain of the node, by its path; the node itself where it is not known."""
        node, depth = self._nodes.get(id), TOPOLOGY_LEVELS.index(level)
        if node is None or not node.report.topology[depth]:
            return (id,)
        return node.report.topology[: depth + 1]
