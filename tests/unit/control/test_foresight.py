"""What a leader says of starts: of what waits, of what nobody has submitted, and of a change that would help."""

import asyncio
from dataclasses import replace

from gigawatt.clock import now_ms
from gigawatt.control.cycle import State
from gigawatt.control.foresight import KEEP_MS, Foresight
from gigawatt.model.calibration import Calibration
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import Node
from gigawatt.reconcile.turn import Site
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.estimates import Estimates
from gigawatt.scheduler.policy import Policy
from tests.scenario.build import make_attempt, make_job, make_node, make_shape, make_world

HOUR_S, HOUR_MS = 3_600, 3_600_000


def running(name: str, node: Node, *, hours: int) -> Job:
    attempt = replace(make_attempt([node]), running_ms=now_ms(), placed_ms=now_ms())
    shape = make_shape(milli_cpu=4000)
    return make_job(
        name, shape, attempts=(attempt,), phase=JobPhase.RUNNING, timeout_s=hours * HOUR_S
    )


def a_leader(*waiting: Job) -> Foresight:
    """Two nodes of four cores: one is busy for an hour, the other for twelve."""
    nodes = [make_node("n", cpus=4), make_node("o", cpus=4)]
    jobs = [running("r", nodes[0], hours=1), running("s", nodes[1], hours=12)]
    world = make_world(nodes, [*jobs, *waiting])
    state = State(
        world=world,
        encoder=Encoder.of(world),
        site=Site(work_dir="", api_url=""),
        policy=Policy(),
        estimates=Estimates.of(world, ()),
    )
    return Foresight(state)


def a_job(name: str, nodes: int = 1) -> Job:
    return make_job(name, make_shape(nodes, milli_cpu=4000), queued_ms=now_ms(), timeout_s=HOUR_S)


def test_what_waits_has_an_estimate_once_it_is_asked_for() -> None:
    foresight = a_leader(a_job("a"))
    assert foresight.newest("a") is None
    found = asyncio.run(foresight.of("a"))
    assert found
    assert foresight.newest("a")
    assert now_ms() < found.p50_ms <= found.p90_ms < now_ms() + 12 * HOUR_MS


def test_what_does_not_wait_has_none() -> None:
    assert asyncio.run(a_leader().of("r")) is None


def test_a_gang_that_nobody_submitted_is_foretold_and_not_kept() -> None:
    foresight = a_leader(a_job("a"))
    asked = a_job("asked").gang()
    found = asyncio.run(foresight.asked(asked, user="ann"))
    assert found
    assert found.p50_ms > now_ms()
    assert foresight.newest("asked") is None


def test_a_change_that_helps_later_is_dated() -> None:
    change = asyncio.run(a_leader(a_job("wide", nodes=2)).sooner("wide"))
    assert change
    assert (change.field, change.before, change.after) == ("gang.nodes", 2, 1)
    assert change.start.startswith("20")


def test_a_leader_that_has_not_learned_yet_says_nothing() -> None:
    foresight = a_leader(a_job("a"))
    foresight._state.estimates = None
    assert asyncio.run(foresight.of("a")) is None
    assert asyncio.run(foresight.sooner("a")) is None
    assert foresight.likely_ms("a") == 0


def test_what_was_learned_is_kept_once_and_again_when_more_came_true() -> None:
    kept: list[Calibration] = []

    async def keep(calibration: Calibration) -> None:
        kept.append(calibration)

    at_ms = now_ms()
    foresight = a_leader(a_job("a"))
    foresight._now_ms = lambda: at_ms
    estimates = foresight._state.estimates
    assert estimates

    async def played() -> None:
        nonlocal at_ms
        await foresight.keep(keep)
        await foresight.refresh()
        estimates.scores.started("a", at_ms + HOUR_MS)
        await foresight.keep(keep)
        at_ms += KEEP_MS
        await foresight.keep(keep)
        at_ms += KEEP_MS
        await foresight.keep(keep)

    asyncio.run(played())
    assert [each.count for each in kept] == [0, 1]
