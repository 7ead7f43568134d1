"""A plan: gangs that stop or move so that one that waits can start, and what is kept for whom until it has started.

A claim lies on what it is kept for (a job, a replica, a workspace) and is committed with it: it ends when that starts,
and there is none without its owner.
"""

from dataclasses import dataclass
from enum import StrEnum


class Taking(StrEnum):
    """By what right a plan takes."""

    PREEMPT = "preempt"  # a higher priority stops lower ones of its project
    RECLAIM = "reclaim"  # the owner of a quota stops those who borrow it
    YIELD = "yield"  # who has run less stops one who has run much more
    CONSOLIDATE = "consolidate"  # gangs move, so that what is free lies together


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Nodes, in rank order, and the places of devices on them that nobody but the claim's owner is given.

    `free_ms` is when all of it should be free; nothing is kept after `until_ms`. Once given up, `lapsed_ms` says when.
    """

    nodes: tuple[str, ...]
    gpus: tuple[tuple[int, ...], ...] = ()
    places: tuple[int, ...] = ()  # of a stacked gang, how many each node holds; () is one each
    free_ms: int
    until_ms: int
    stopped: int = 0  # gangs that stop for it
    moved: int = 0  # gangs that move for it
    spares: int = 0  # so many of the last nodes
    lapsed_ms: int = 0
    why: str = ""  # it was given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A gang that stops. With a claim it moves: its new place is free now, and kept for it.

    `lost` is its work since its last checkpoint, `restart` what starting again costs; both in milli-GPU × ms.
    """

    gang: str
    attempt: int
    lost: int
    restart: int
    claim: Claim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`claim` is the whole placement of `gang`, proven on the room that there is once the victims have gone."""

    gang: str
    taking: Taking
    victims: tuple[Victim, ...]
    claim: Claim
    price: int  # of all victims, in milli-GPU × ms
    notice_ms: int  # between asking the victims for a checkpoint and their first signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """An elastic gang that may go on with more nodes: `claim` is the whole of its next placement, its own nodes included.

    `saved` says that it has just saved its work, so that a restart costs none; else it is to be asked for that.
    """

    gang: str
    attempt: int
    saved: bool
    claim: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """A claim that holds no longer, although its owner has not started."""

    gang: str
    why: str
