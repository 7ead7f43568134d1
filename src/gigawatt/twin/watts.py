"""What gangs draw of the power tree against its caps, in books of their own: from what each cycle commits, and nothing else."""

from collections import Counter
from collections.abc import Iterator

from gigawatt.control.cycle import Outcome
from gigawatt.model.attempt import Attempt
from gigawatt.model.endpoint import Replica
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job
from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.power import CORE_WATTS, FEED_LABEL, Feed, Supply, gpu_watts
from gigawatt.twin.limits import shape_of


class Watts:
    """Tell it of every outcome. A cap that was lowered below what is drawn says nothing until more is started."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._supplied: dict[Supply, str] = {}
        self._nodes: dict[str, Node] = {}
        self._held: dict[str, Counter[str]] = {}  # by gang, milliwatts by feed
        self._drawn: Counter[str] = Counter()

    def check(self, outcome: Outcome) -> list[str]:
        """What is wrong."""
        gangs: list[Job | Replica] = []
        for put in outcome.batch.puts:
            if isinstance(put, Node):
                self._nodes[put.id] = put
            elif isinstance(put, Feed):
                self._feeds[put.id] = put
                self._supplied |= dict.fromkeys(put.supplies, put.id)
            elif isinstance(put, Job | Replica):
                gangs.append(put)
        grown: dict[str, None] = {}
        for job in gangs if self._feeds else ():
            grown |= dict.fromkeys(self._moved(job))
        return [fault for feed in grown for fault in self._over(feed)]

    def _moved(self, job: Job | Replica) -> list[str]:
        """Take what it draws now; the feeds of which that is more than before."""
        old = self._held.pop(job.id, Counter())
        now: Counter[str] = Counter()
        attempt = job.attempt
        if attempt is not None and attempt.live:
            for node in attempt.held:
                amount = _draws(shape_of(job), self._nodes[node]) * _places(attempt, node)
                for feed in self._above(self._nodes[node]):
                    now[feed] += amount
            self._held[job.id] = now
        self._drawn.subtract(old)
        self._drawn.update(now)
        return [feed for feed, amount in now.items() if amount > old[feed]]

    def _above(self, node: Node) -> Iterator[str]:
        feed = dict(node.report.labels).get(FEED_LABEL, "")
        feed = feed if feed in self._feeds else self._supplying(node)
        while feed:
            yield feed
            feed = self._feeds[feed].parent

    def _supplying(self, node: Node) -> str:
        """The feed of the innermost domain that one supplies, by path or by name."""
        names = node.report.topology
        for depth in reversed(range(len(names))):
            path = "/".join(part for part in names[: depth + 1] if part)
            for name in (path, names[depth]):
                feed = self._supplied.get(Supply(level=TOPOLOGY_LEVELS[depth], name=name), "")
                if names[depth] and feed:
                    return feed
        return ""

    def _over(self, feed: str) -> Iterator[str]:
        cap = self._feeds[feed].cap_milliwatts
        if cap is not None and self._drawn[feed] > cap:
            yield f"feed {feed} may carry {cap} mW and carries {self._drawn[feed]}"


def _places(attempt: Attempt, node: str) -> int:
    return attempt.places_on(node) if attempt.places else 1


def _draws(shape: Shape, node: Node) -> int:
    """What one place of a gang draws on a node, in milliwatts."""
    if shape.milliwatts:
        return shape.milliwatts
    watts = gpu_watts(node.gpu_kind) if node.report.gpus else 0
    return shape.per_node.milli_gpu * watts + shape.per_node.milli_cpu * CORE_WATTS
