"""Attempts on the machines of the twin, and what is told when they start."""

from dataclasses import dataclass, field

from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.observation import LaunchAccepted, Observation, RankStarted, ResumeChosen
from gigawatt.twin.happenings import Course


@dataclass(slots=True, kw_only=True)
class Running:
    """An attempt that these machines know. `since_ms` is None until its ranks run."""

    launch: Launch
    nodes: int
    most: int  # nodes that it takes
    left_ms: int  # of its work, when it began: on its nodes
    since_ms: int | None = None
    saved_ms: int = 0  # of that, what need not be done again
    saves: int = 0
    in_tempo: bool = False  # it does not tell of each save
    disturbed: bool = False  # it was told something, or a node of it went down
    stops_ms: int | None = None  # when it will have stopped, once it is asked to
    courses: tuple[Course, ...] = ()  # of its ranks, where each has its own
    over: set[int] = field(default_factory=set[int])  # ranks that have ended


def accepted(launch: Launch, key: AttemptKey, now_ms: int) -> list[Observation]:
    """What is told of a launch at once."""
    told: list[Observation] = []
    if launch.resume:
        path = launch.resume[0].checkpoint.path
        told.append(ResumeChosen(at_ms=now_ms, key=key, path=path))
    return [*told, LaunchAccepted(at_ms=now_ms, key=key)]


def ranks_started(launch: Launch, key: AttemptKey, now_ms: int) -> list[Observation]:
    """They run now, all of them."""
    return [
        RankStarted(at_ms=now_ms, key=key, rank=placed.rank, pid=placed.rank + 1, address="")
        for placed in launch.placements
    ]
