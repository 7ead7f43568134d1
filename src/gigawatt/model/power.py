"""The power tree: feeds that carry other feeds and nodes, what each may carry at most, and what gangs draw.

Watts of GPUs are the most that a board draws by its maker (700 W for an H100 or H200 SXM, 1,000 W for a B200, 1,200 W for
one of a GB200 and 1,400 W of a GB300); of a core, a server processor's by its cores. What nodes draw with nothing on
them, and what cools them, is not in it: it is to be taken off a cap before the cap is set.
"""

from collections.abc import Mapping
from dataclasses import dataclass

FEED_LABEL = "power"  # a node's label that names the feed it hangs on
DEPTH_MAX = 16  # of feeds below each other
CAP_MILLIWATTS_MAX = 10**14  # a hundred gigawatts
CORE_WATTS = 4
OTHER_GPU_WATTS = 700
GPU_WATTS: Mapping[str, int] = {
    "gb300": 1_400,
    "gb200": 1_200,
    "b300": 1_000,
    "b200": 1_000,
    "h200": 700,
    "h100": 700,
    "mi355x": 1_400,
    "mi325x": 1_000,
    "mi300x": 750,
    "a100": 400,
    "l40s": 350,
    "l40": 300,
    "v100": 300,
    "a10": 150,
    "t4": 70,
    "l4": 72,
}
"""By a word in the name of a kind; of several, the first that is in it."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Supply:
    """All nodes of a domain: its level, and its name, or where names recur its path from the site down."""

    level: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A part of the power tree: a PDU, a row, a hall, a site. Nodes hang on one by their label or by their domain."""

    id: str  # its name
    created_ms: int
    parent: str = ""  # the feed that carries it; empty at the top
    cap_milliwatts: int | None = None  # that gangs may draw through it together; None is any
    supplies: tuple[Supply, ...] = ()  # sorted
    deleted_ms: int | None = None
    version: int = 1


def gpu_watts(kind: str) -> int:
    """The most that one GPU of a kind draws."""
    words = kind.lower()
    return next((watts for word, watts in GPU_WATTS.items() if word in words), OTHER_GPU_WATTS)
