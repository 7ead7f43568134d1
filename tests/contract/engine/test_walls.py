"""A hostile job on each class of isolation, and the contract of engines inside of walls."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.engine.conformance import Report as Conformance
from gigawatt.engine.conformance import run as conform
from gigawatt.engine.conformance.bench import Bench, Faults
from gigawatt.engine.local import LocalEngine, shut_down_supervisors
from gigawatt.engine.local.walls import Shown, probe_walls
from gigawatt.model.gang import Isolation
from gigawatt.server.hostile import ATTACKS, CLASSES, Report, run
from gigawatt.server.hostile.attacks import By

pytestmark = pytest.mark.slow

RULES = probe_walls()
TRIED = [each.name for each in ATTACKS if each.by is not By.TOKEN]
CASES = (
    "gang-starts-whole",
    "command-not-found-is-the-users",
    "stop-escalates-after-grace",
    "nothing-outlives-its-gang",
    "nothing-outlives-a-stop",
    "exit-has-evidence",
    "progress-and-checkpoints-are-reported",
    "rank-is-told-where-to-resume",
    "command-is-talked-to",
    "command-has-a-terminal",
    "nothing-outlives-a-command",
    "port-is-reached",
    "rank-is-attached-to",
    "terminal-of-a-rank-is-talked-to",
    "adoption-keeps-processes",
    "killed-supervisor-loses-its-ranks-alone",
)


async def killed(bench: Bench, node: str) -> None:
    """From outside: no command beside a rank reaches its supervisor."""
    assert isinstance(bench.engine, LocalEngine)
    os.kill(bench.engine.supervisor_pid(node), signal.SIGKILL)


def able(kind: Isolation) -> None:
    if kind not in RULES.classes:
        pytest.skip(f"no isolation {kind} on this machine: {RULES.lacks or 'it takes root'}")


@pytest.fixture(scope="module", params=CLASSES)
def hostile(request: pytest.FixtureRequest) -> Report:
    kind: Isolation = request.param
    able(kind)
    return asyncio.run(run(kind))


@pytest.mark.parametrize("name", TRIED)
def test_a_hostile_job_is_held_as_the_documentation_says(hostile: Report, name: str) -> None:
    outcome = next(each for each in hostile.outcomes if each.name == name)
    assert (outcome.seen, outcome.evidence) == (outcome.expected, outcome.evidence)


def test_without_walls_the_same_attacks_get_through() -> None:
    """Those that do the machine no harm: so it is known that they can."""
    names = ("operator-token", "others-secret", "others-environment", "database", "signal-others")
    report = asyncio.run(run(Isolation.NONE, only=names))
    assert {each.name: each.seen for each in report.outcomes} == dict.fromkeys(names, "open")
    assert not report.passed


@pytest.fixture(scope="module", params=[Isolation.PROCESS, Isolation.USER])
def walled(request: pytest.FixtureRequest) -> Iterator[Conformance]:
    """With a directory that is shown, for what the suite and its ranks share."""
    kind: Isolation = request.param
    able(kind)
    with (
        tempfile.TemporaryDirectory(prefix="gw-") as directory,
        tempfile.TemporaryDirectory(prefix="gw-shown-") as shown,
    ):
        Path(shown).chmod(0o755)
        rules = replace(probe_walls(kind), shows=(Shown(path=shown, writable=True),))
        data = Path(directory)
        yield asyncio.run(
            conform(
                lambda: LocalEngine(data, nodes=2, walls=rules),
                only=CASES,
                faults=Faults(kill_supervisor=killed),
                scratch=Path(shown),
            )
        )
        assert asyncio.run(shut_down_supervisors(data, grace_s=0)) == []


@pytest.mark.parametrize("name", CASES)
def test_walls_change_nothing_of_what_an_engine_does(walled: Conformance, name: str) -> None:
    case = next(case for case in walled.cases if case.name == name)
    assert (case.result, case.evidence) == ("passed", case.evidence)
