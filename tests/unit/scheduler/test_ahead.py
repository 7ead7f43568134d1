"""The line played ahead comes to what would really happen if all ran as long as was said."""

from dataclasses import replace

from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import Node
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.tenant import Project
from gigawatt.model.world import World
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.forecast import ahead_of, middle
from gigawatt.scheduler.outlook import Outlook
from gigawatt.scheduler.policy import POLICIES, Policy
from tests.scenario.build import NOW_MS, make_attempt, make_job, make_node, make_shape, make_world

MINUTE_S, MINUTE_MS = 60, 60_000


def running(id: str, nodes: list[Node], milli_cpu: int, *, minutes: int) -> Job:
    attempt = replace(make_attempt(nodes), running_ms=NOW_MS)
    shape = make_shape(len(nodes), milli_cpu=milli_cpu)
    timeout_s = minutes * MINUTE_S
    return make_job(id, shape, attempts=(attempt,), phase=JobPhase.RUNNING, timeout_s=timeout_s)


def waiting(id: str, milli_cpu: int, *, minutes: int, after: int = 0, nodes: int = 1) -> Job:
    return make_job(
        id,
        make_shape(nodes, milli_cpu=milli_cpu),
        queued_ms=NOW_MS + after,
        timeout_s=minutes * MINUTE_S,
    )


def starts(world: World, policy: Policy, *, learned: bool = False) -> dict[str, int]:
    """Minutes from now at which each starts, all running up to their limits."""
    snapshot = encode_cold(world, NOW_MS, shares=policy.needs_shares)
    ahead = ahead_of(snapshot, policy, Outlook.of(world), middle if learned else None)
    while ahead.advance():
        pass
    return {gang: (at_ms - NOW_MS) // MINUTE_MS for gang, at_ms in ahead.starts.items()}


def test_one_after_another_on_one_node() -> None:
    node = make_node("n", cpus=4)
    world = make_world(
        [node],
        [
            running("r", [node], 4000, minutes=10),
            waiting("a", 4000, minutes=20),
            waiting("b", 4000, minutes=5, after=1),
            waiting("c", 4000, minutes=5, after=2),
        ],
    )
    assert starts(world, Policy()) == {"a": 10, "b": 30, "c": 35}


def test_backfill_under_easy_goes_first_where_it_delays_nobody() -> None:
    node, other = make_node("n", cpus=4), make_node("o", cpus=4)
    world = make_world(
        [node, other],
        [
            running("r", [node], 4000, minutes=60),
            running("s", [other], 4000, minutes=5),
            waiting("wide", 4000, minutes=10, nodes=2),
            waiting("long", 4000, minutes=90, after=1),
            waiting("short", 4000, minutes=30, after=2),
        ],
    )
    assert starts(world, POLICIES["easy-hold"]) == {"short": 5, "wide": 60, "long": 70}
    assert starts(world, POLICIES["fifo"]) == {"wide": 60, "long": 70, "short": 70}


def test_gpus_are_given_back_device_by_device() -> None:
    node = make_node("n", gpus=2, cpus=8)
    attempt = replace(make_attempt([node], devices=[[0, 1]]), running_ms=NOW_MS)
    shape = make_shape(milli_gpu=2000)
    first = make_job("r", shape, attempts=(attempt,), phase=JobPhase.RUNNING, timeout_s=600)
    later = [
        make_job(name, make_shape(milli_gpu=500), queued_ms=NOW_MS + place, timeout_s=600)
        for place, name in enumerate("abcde")
    ]
    found = starts(make_world([node], [first, *later]), Policy())
    assert found == {"a": 10, "b": 10, "c": 10, "d": 10, "e": 20}


def test_a_limit_of_the_project_holds_in_a_play_too() -> None:
    node = make_node("n", cpus=8)
    jobs = [waiting(name, 4000, minutes=10, after=place) for place, name in enumerate("abc")]
    world = make_world([node], jobs)
    most = Entitlement(limit=Bounds(milli_cpu=4000))
    world.put(
        Project(
            id="default/default", tenant="default", name="default", created_ms=0, entitlement=most
        )
    )
    assert starts(world, Policy()) == {"a": 0, "b": 10, "c": 20}


def test_what_never_ends_lets_nobody_start() -> None:
    node = make_node("n", cpus=4)
    attempt = replace(make_attempt([node]), running_ms=NOW_MS)
    forever = make_job("r", make_shape(milli_cpu=4000), attempts=(attempt,), phase=JobPhase.RUNNING)
    world = make_world([node], [forever, waiting("a", 4000, minutes=1)])
    assert starts(world, Policy()) == {}


def test_a_play_changes_neither_the_snapshot_nor_the_outlook() -> None:
    node = make_node("n", cpus=4)
    world = make_world(
        [node], [running("r", [node], 4000, minutes=10), waiting("a", 4000, minutes=20)]
    )
    before = starts(world, POLICIES["easy"])
    assert starts(world, POLICIES["easy"]) == before == {"a": 10}
