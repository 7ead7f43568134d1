"""What fails, when, of what, and for how long: single nodes and whole domains, all drawn from a seed.

Each node and each domain fails after its own times, which depend on the seed and its place alone: not on what runs. So
two policies are tried against the same failures. A few nodes may be lemons, which fail many times as often as others.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from gigawatt.model.node import TOPOLOGY_LEVELS, NodeReport

MS_MIN = 1000  # between a repair and the next failure, and of a repair
NORMAL = NormalDist()
P90_SIGMAS = NORMAL.inv_cdf(0.9)
BITS = 64
MASK = (1 << BITS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause of a node's failures, and how often it is that one against the others' weights."""

    name: str
    weight: float


LLAMA3 = tuple(
    Cause(name=name, weight=count)
    for name, count in (
        ("gpu", 148),
        ("gpu_memory", 72),
        ("software", 54),
        ("network", 35),
        ("host_maintenance", 32),
        ("gpu_sram", 19),
        ("gpu_processor", 17),
        ("nic", 7),
        ("nccl_watchdog", 7),
        ("silent_corruption", 6),
        ("thermal", 6),
        ("ssd", 3),
        ("power_supply", 3),
        ("other_host", 10),
    )
)
"""Counts of 419 interruptions on 16,384 H100 in 54 days: 4.7e-4 a GPU and day (The Llama 3 Herd of Models, table 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Lognormal by its median and its 90th percentile; always the median where both are the same."""

    median_ms: int
    p90_ms: int

    def drawn_ms(self, part: float) -> int:
        """The repair that is longer than `part` of all."""
        if self.p90_ms <= self.median_ms:
            return self.median_ms
        sigma = math.log(self.p90_ms / self.median_ms) / P90_SIGMAS
        return max(round(self.median_ms * math.exp(sigma * NORMAL.inv_cdf(part))), MS_MIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRate:
    """Exponential times between failures of one node, of this mean."""

    mean_between_ms: int
    repair: Repair
    causes: tuple[Cause, ...] = LLAMA3


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRate:
    """All nodes of a domain go down together: of a topology level, or of so many nodes in the order of the site.

    The second is for what topology does not say: rows of racks on one cooling loop or power feed.
    """

    name: str
    level: str = ""
    nodes: int = 0
    mean_between_ms: int
    repair: Repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Lemons:
    """This part of the nodes, chosen by the seed, fails so many times as often."""

    part: float = 0.0
    times: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What fails as one: a node, or all nodes of a domain."""

    name: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The next one of a unit: how long it goes on until then, how long it is down, and why."""

    after_ms: int
    repair_ms: int
    cause: str


class Failures:
    """Ask `next_of` a unit once for each of its failures, in their order."""

    def __init__(
        self,
        nodes: Sequence[NodeReport],
        rate: FailureRate | None,
        *,
        domains: Sequence[DomainRate] = (),
        lemons: Lemons | None = None,
        seed: int,
    ) -> None:
        self._seed = seed
        self._rates: dict[str, tuple[int, int, FailureRate | DomainRate, float]] = {}
        self.units: list[Unit] = []
        self.lemons: tuple[str, ...] = ()
        if rate is not None:
            self._add_nodes(nodes, rate, lemons or Lemons())
        for domain in domains:
            for name, members in _members(nodes, domain):
                self._add(Unit(name=name, nodes=tuple(members)), domain, 1.0)

    def next_of(self, unit: Unit) -> Failure:
        """Its next failure, counted from its last repair."""
        place, count, rate, times = self._rates[unit.name]
        self._rates[unit.name] = place, count + 1, rate, times
        after, repair, cause = (self._part(place, 4 * count + which) for which in range(3))
        return Failure(
            after_ms=max(round(-math.log(after) * rate.mean_between_ms / times), MS_MIN),
            repair_ms=rate.repair.drawn_ms(repair),
            cause=_cause(rate.causes, cause) if isinstance(rate, FailureRate) else rate.name,
        )

    def _add_nodes(self, nodes: Sequence[NodeReport], rate: FailureRate, lemons: Lemons) -> None:
        ids = [node.id for node in nodes]
        chosen = sorted(range(len(ids)), key=lambda place: self._part(place, 3))
        sour = {ids[place] for place in chosen[: round(lemons.part * len(ids))]}
        self.lemons = tuple(sorted(sour))
        for node in ids:
            self._add(Unit(name=node, nodes=(node,)), rate, lemons.times if node in sour else 1.0)

    def _add(self, unit: Unit, rate: FailureRate | DomainRate, times: float) -> None:
        self._rates[unit.name] = len(self.units), 0, rate, times
        self.units.append(unit)

    def _part(self, place: int, count: int) -> float:
        """Between 0 and 1, both left out; of the seed, a unit's place and a count alone."""
        mixed = _mixed(_mixed(_mixed(self._seed & MASK) ^ place) ^ count)
        return ((mixed >> 12) + 0.5) / (1 << (BITS - 12))


def _members(nodes: Sequence[NodeReport], rate: DomainRate) -> Iterator[tuple[str, list[str]]]:
    """The domains of one rate by name, in order; nodes of which the level is not known are in none."""
    domains: dict[str, list[str]] = {}
    level = TOPOLOGY_LEVELS.index(rate.level) if rate.level else -1
    for place, node in enumerate(nodes):
        if not rate.level:
            domains.setdefault(f"{rate.name} {place // rate.nodes}", []).append(node.id)
        elif node.topology[level]:
            path = "/".join(name for name in node.topology[: level + 1] if name)
            domains.setdefault(f"{rate.name} {path}", []).append(node.id)
    yield from domains.items()


def _cause(causes: Iterable[Cause], part: float) -> str:
    causes = tuple(causes)
    left = part * sum(cause.weight for cause in causes)
    for cause in causes:
        left -= cause.weight
        if left < 0:
            return cause.name
    return causes[-1].name


def _mixed(number: int) -> int:
    """SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): every bit of the input changes half of the output's."""
    number = (number + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)
