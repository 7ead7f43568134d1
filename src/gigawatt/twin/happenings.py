"""What happens to the machines of the twin, as events that are due at a virtual time, and how long things take there."""

from dataclasses import dataclass

from gigawatt.model.launch import AttemptKey
from gigawatt.twin.failures import Unit
from gigawatt.twin.serving import Looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take on these machines. `checkpoint_ms` 0: nothing is saved, and all is redone."""

    startup_ms: int = 0
    restart_ms: int | None = None  # of an attempt after the first; None is as the first
    checkpoint_ms: int = 0  # of work between two checkpoints
    save_ms: int = 0  # that the work stands still for each
    saves_when_told: bool = True  # one more before it is stopped, if it is given the time
    stop_ms: int = 0  # from the first signal to the end of the ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one rank goes if nothing stops it: for how long, and with what it ends."""

    run_ms: int
    exit_code: int | None = 0
    signal: int | None = None
    deaf: bool = False  # it does not end by SIGTERM


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Every rank of the attempt runs now."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The replica answers its readiness probe from now on."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The attempt has reached its next checkpoint."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The attempt has run to its end, if nothing stopped it before."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """One rank has run its course, if nothing stopped it before."""

    key: AttemptKey
    rank: int
    course: Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The attempt, which will be stopped, has saved what it had done when it was told: `done_ms` of its work."""

    key: AttemptKey
    done_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """The time has come at which the attempt's ranks end, because it was asked to stop."""

    key: AttemptKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails:
    """Nodes go down together, and are back after `repair_ms`. `unit`: what will fail again after that."""

    nodes: tuple[str, ...]
    repair_ms: int
    cause: str = "it failed"
    unit: Unit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    nodes: tuple[str, ...]
    unit: Unit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandons:
    """What holds the ranks of a node ends, and they with it; the node stays."""

    node: str


OfAttempt = Started | Answers | Saved | Stops | Done
Event = OfAttempt | Looks | Told | Ends | Fails | Repaired | Abandons
