"""What few gangs ask of where they go, as one value: a gang that asks none of it has the empty one."""

from dataclasses import astuple, dataclass
from functools import lru_cache

from gigawatt.model.gang import Shape
from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.scheduler.snapshot import NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Levels are indices into TOPOLOGY_LEVELS. Wherever a decision counts a gang's nodes, its spares are among them."""

    milliwatts: int = 0  # drawn of each node; 0: by the amounts
    segment: int = 0  # nodes of each segment, its spares included; 0: none
    segment_level: int = NONE
    spares: int = 0  # of each segment; without segments, of the gang
    spread_level: int = NONE
    spread_most: int = 0  # 0: as few in each domain as can be

    @property
    def arranged(self) -> bool:
        """Whether it matters for the gang which of the nodes that fit are given together."""
        return bool(self.segment or self.spares) or self.spread_level != NONE

    @property
    def step(self) -> int:
        """The gang's nodes are a multiple of it, spares included."""
        return self.segment or 1

    @property
    def least(self) -> int:
        """The fewest nodes that any gang of these terms holds."""
        return self.segment or self.spares + 1

    def spares_of(self, count: int) -> int:
        """Of so many nodes that the gang holds, the spares."""
        return count // self.segment * self.spares if self.segment else self.spares

    def own_nodes(self, count: int) -> int:
        """Of so many nodes that the gang holds, those on which it runs."""
        return count - self.spares_of(count)

    def held_nodes(self, own: int) -> int:
        """How many nodes a gang holds that runs on `own`: with its spares."""
        if not self.segment:
            return own + self.spares
        return own + own // (self.segment - self.spares) * self.spares


NO_TERMS = Terms()


def terms_code(shape: Shape) -> tuple[int, ...]:
    """A shape's terms as numbers, as a snapshot holds them; () where it has none."""
    segment, spread = shape.segment, shape.spread
    if not (shape.milliwatts or segment or shape.spares or spread):
        return ()
    terms = Terms(
        milliwatts=shape.milliwatts,
        segment=segment.nodes + shape.spares if segment else 0,
        segment_level=level_code(segment.level) if segment else NONE,
        spares=shape.spares,
        spread_level=level_code(spread.level) if spread else NONE,
        spread_most=spread.at_most if spread else 0,
    )
    return astuple(terms)


@lru_cache(maxsize=4_096)
def terms_of(code: tuple[int, ...]) -> Terms:
    """The value of `terms_code`."""
    return Terms(**dict(zip(Terms.__slots__, code, strict=True))) if code else NO_TERMS


def held_nodes(shape: Shape, count: int) -> int:
    """How many nodes a gang holds that runs on `count`: with the spares of each segment."""
    if not shape.spares:
        return count
    return count + shape.spares * (count // shape.segment.nodes if shape.segment else 1)


def level_code(name: str) -> int:
    """The index of a topology level, NONE for the empty name."""
    return TOPOLOGY_LEVELS.index(name) if name else NONE
