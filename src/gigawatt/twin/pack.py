"""`gw sim pack`: pods come once, each that fits anywhere is placed on arrival and stays; how full do the GPUs get?

No pod is turned away that fits, none is moved, and a policy sees nothing of what is still to come but how often each ask
stands in the list.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.scheduler.packing import names
from gigawatt.scheduler.packing.fill import Fill, Placed
from gigawatt.scheduler.packing.policies import policy_of
from gigawatt.twin.arrivals import INFLATED_TO, Work, arrivals_of
from gigawatt.twin.books import Books
from gigawatt.twin.chance import Chance

PERCENT_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One pod that was placed: which arrival it was, its name, its node's, and the numbers of its GPUs there."""

    arrival: int
    pod: str
    node: str
    gpus: tuple[int, ...]

    def fields(self) -> tuple[str, str, str, str]:
        return self.pod, self.node, "|".join(map(str, self.gpus)), str(self.arrival)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """One run. Allocation is in per cent of the milli-GPUs installed, by ratio of what has been asked for to that."""

    policy: str
    seed: int
    allocation_percent: dict[float, float]
    arrived: int
    placed: int
    dropped_feasible: int  # turned away though some node had room: always 0
    placements: tuple[Placement, ...]

    @property
    def placements_sha256(self) -> str:
        """Equal where every pod went to the same place."""
        lines = "".join(",".join(each.fields()) + "\n" for each in self.placements)
        return hashlib.sha256(lines.encode()).hexdigest()


def pack(work: Work, policy: str, ratios: Sequence[float], seed: int) -> Packing:
    """Replay `work` once. `ratios` say when to look; what comes after the largest of them is left out."""
    chance = Chance(seed)
    ends = sorted(ratios)
    arrivals = arrivals_of(work, chance, max(INFLATED_TO, ends[-1]))
    asks, cluster = work.asks, arrivals.cluster
    ready = policy_of(policy, cluster, asks)
    fill = Fill(cluster, asks, ready, chance=chance.below if policy == names.RANDOM else None)
    books = Books(cluster, asks)
    placements: list[Placement] = []
    percents: list[float] = []
    arrived = asked = dropped_feasible = 0
    for pod in arrivals.pods:
        if len(percents) == len(ends):
            break
        ask = int(work.ask_P[pod])
        asked += int(asks.demand_K[ask])
        placed = fill.place(ask)
        if placed is not None:
            books.take(ask, placed)
            node = work.nodes[int(arrivals.nodes[placed.node])].name
            placements.append(_placement(arrived, work.pods[pod].name, node, placed))
        elif books.fits(ask):
            dropped_feasible += 1
        arrived += 1
        while len(percents) < len(ends) and asked >= ends[len(percents)] * cluster.milli:
            percents.append(_percent(books.used_milli, cluster.milli))
    percents += [_percent(books.used_milli, cluster.milli)] * (len(ends) - len(percents))
    return Packing(
        policy=policy,
        seed=seed,
        allocation_percent=dict(zip(ends, percents, strict=True)),
        arrived=arrived,
        placed=len(placements),
        dropped_feasible=dropped_feasible,
        placements=tuple(placements),
    )


def _placement(arrival: int, pod: str, node: str, placed: Placed) -> Placement:
    return Placement(arrival=arrival, pod=pod, node=node, gpus=placed.devices)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, PERCENT_DIGITS)
