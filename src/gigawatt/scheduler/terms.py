"""What few gangs ask of where they go, as one value: a gang that asks none of it has the empty one."""

from dataclasses import astuple, dataclass
from functools import lru_cache

from gigawatt.model.gang import Shape
from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.scheduler.snapshot import NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Levels are indices into TOPOLOGY_LEVELS."""

    milliwatts: int = 0  # drawn of each node; 0: by the amounts
    segment: int = 0  # nodes of each segment; 0: none
    segment_level: int = NONE
    spares: int = 0
    spread_level: int = NONE
    spread_most: int = 0  # 0: as few in each domain as can be


NO_TERMS = Terms()


def terms_code(shape: Shape) -> tuple[int, ...]:
    """A shape's terms as numbers, as a snapshot holds them; () where it has none."""
    segment, spread = shape.segment, shape.spread
    if not (shape.milliwatts or segment or shape.spares or spread):
        return ()
    terms = Terms(
        milliwatts=shape.milliwatts,
        segment=segment.nodes if segment else 0,
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


def level_code(name: str) -> int:
    """The index of a topology level, NONE for the empty name."""
    return TOPOLOGY_LEVELS.index(name) if name else NONE
