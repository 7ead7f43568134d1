"""The conformance suite on the twin's engine, in virtual time: its ranks go as the suite's own commands would."""

import re
import signal

from gigawatt.engine.conformance import Faults, Report, run
from gigawatt.engine.conformance.bench import Bench
from gigawatt.engine.conformance.faults import DIES
from gigawatt.engine.conformance.scale import BY_RANK
from gigawatt.model.launch import Launch
from gigawatt.twin import virtual
from gigawatt.twin.engine import TwinEngine
from gigawatt.twin.floor import Floor
from gigawatt.twin.happenings import Abandons, Course, Fails
from gigawatt.twin.site import GIB, NodeGroup, build_site
from gigawatt.twin.work import START_MS

SITE = NodeGroup(nodes=2, cores=64, memory_bytes=64 * GIB)
LONG_MS = 300_000
REPAIR_MS = 2_000
WAITS_MS = 100  # for a file, until nobody leads
AT_ONCE = Course(run_ms=0)
EXITS = re.compile(r"exit (\d+)$")


def rehearse(only: tuple[str, ...] = ()) -> Report:
    """Raises KeyError for a name that is no case."""
    return virtual.run(_rehearsed(only))


def courses_of(launch: Launch) -> tuple[Course, ...] | None:
    """How ranks of the suite go; None for a command that it does not have."""
    ranks = tuple(placed.rank for placed in launch.placements)
    match launch.command:
        case ("true",):
            return tuple(AT_ONCE for _ in ranks)
        case ("sleep", seconds):
            return tuple(Course(run_ms=int(seconds) * 1000) for _ in ranks)
        case ("sh", "-c", script):
            return tuple(_course(script, rank) for rank in ranks)
        case _:
            return None


async def _rehearsed(only: tuple[str, ...]) -> Report:
    floor = Floor(build_site(SITE), courses=courses_of)
    now_ms = virtual.clock(START_MS)
    return await run(lambda: TwinEngine(floor, now_ms), only=only, faults=_faults())


def _course(script: str, rank: int) -> Course:
    if script == DIES and rank == 1:
        return Course(run_ms=0, exit_code=None, signal=signal.SIGKILL)
    if script == BY_RANK:
        return Course(run_ms=0, exit_code=rank % 7)
    if script.startswith("trap '' TERM"):
        return Course(run_ms=LONG_MS, deaf=True)
    if script.endswith("sleep 300") or "sleep 300;" in script or script.startswith("while :"):
        return Course(run_ms=LONG_MS)
    ends = EXITS.search(script)
    code = int(ends[1]) if ends else 0
    return Course(run_ms=WAITS_MS if script.startswith("while !") else 0, exit_code=code)


def _faults() -> Faults:
    async def lose(bench: Bench, node: str) -> None:
        _engine(bench).happen(Fails(nodes=(node,), repair_ms=REPAIR_MS))

    async def kill(bench: Bench, node: str) -> None:
        _engine(bench).happen(Abandons(node=node))

    async def silence(bench: Bench, _node: str) -> None:
        _engine(bench).silence(silent=True)

    async def speak(bench: Bench, _node: str) -> None:
        _engine(bench).silence(silent=False)

    return Faults(lose_node=lose, kill_supervisor=kill, silence=silence, speak=speak)


def _engine(bench: Bench) -> TwinEngine:
    assert isinstance(bench.engine, TwinEngine)
    return bench.engine
