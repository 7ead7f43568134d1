"""Decisions on small clusters, one rule at a time."""

from dataclasses import replace

from gigawatt.model.decision import Start
from gigawatt.model.gang import Window
from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Policy
from tests.scenario.build import (
    GIB,
    NOW_MS,
    make_attempt,
    make_job,
    make_node,
    make_replica,
    make_shape,
    make_world,
)


def starts(nodes: list[Node], *jobs: Job, policy: Policy | None = None) -> dict[str, Start]:
    decision = decide(encode_cold(make_world(nodes, jobs), NOW_MS), policy or Policy())
    return {start.gang: start for start in decision.starts}


def reasons(nodes: list[Node], *jobs: Job, policy: Policy | None = None) -> dict[str, Reason]:
    decision = decide(encode_cold(make_world(nodes, jobs), NOW_MS), policy or Policy())
    return {wait.gang: wait.reason for wait in decision.waits}


def rack(name: str, count: int) -> list[Node]:
    place = f"s/h/p/l/{name}"
    return [make_node(f"{name}-{index}", gpus=4, place=place) for index in range(count)]


def test_the_line_goes_by_priority_then_waiting_time_then_id() -> None:
    jobs = [
        make_job("d", make_shape(), queued_ms=NOW_MS - 5),
        make_job("c", make_shape(), queued_ms=NOW_MS - 9),
        make_job("a", make_shape(), queued_ms=NOW_MS - 5),
        make_job("b", make_shape(), queued_ms=NOW_MS, priority=1),
    ]
    decision = decide(encode_cold(make_world([], jobs), NOW_MS), Policy())
    assert [(wait.gang, wait.position) for wait in decision.waits] == [
        ("b", 1),
        ("c", 2),
        ("a", 3),
        ("d", 4),
    ]


def test_replicas_stand_in_the_same_line_as_jobs() -> None:
    work = [make_job("job", make_shape(milli_cpu=8000)), make_replica("rep", make_shape())]
    decision = decide(encode_cold(make_world([make_node("n")], work), NOW_MS), Policy())
    assert [start.gang for start in decision.starts] == ["rep"]


def test_ranks_go_by_site_hall_spine_leaf_and_rack_not_by_id() -> None:
    nodes = [
        make_node("z", place="s/h/p/l1/r1"),
        make_node("a", place="s/h/p/l2/r1"),
        make_node("m", place="s/h/p/l1/r2"),
        make_node("b", place="s/h/p/l2/r1"),
    ]
    assert starts(nodes, make_job("j", make_shape(4)))["j"].nodes == ("z", "m", "a", "b")


def test_equal_names_in_different_places_are_different_domains() -> None:
    nodes = [make_node("a", place="s/h/p/l1/r1"), make_node("b", place="s/h/p/l2/r1")]
    job = make_job("j", make_shape(2, same="rack"))
    assert reasons(nodes, job)["j"] == Reason(
        code=ReasonCode.IMPOSSIBLE,
        resource="nodes",
        need=2,
        have=1,
        detail="counting nodes that are large enough in one rack",
    )


def test_a_node_whose_rack_is_not_known_is_in_no_rack() -> None:
    nodes = [make_node("a"), make_node("b"), make_node("c", place="s/h/p/l/r")]
    assert starts(nodes, make_job("j", make_shape(1, same="rack")))["j"].nodes == ("c",)
    assert reasons(nodes, make_job("j", make_shape(2, same="rack")))["j"].have == 1


def test_virtual_nodes_of_one_machine_are_its_tightest_domain() -> None:
    nodes = [make_node(name, place="s/h/p/l/r/n") for name in ("a", "b", "c", "d")]
    machines = {"a": "m1", "b": "m2", "c": "m2", "d": "m1"}
    placed = [_on_machine(node, machines[node.id]) for node in nodes]
    first = make_job("j", make_shape(1), priority=1)
    assert starts(placed, first, make_job("k", make_shape(2, milli_cpu=8000)))["k"].nodes == (
        "b",
        "c",
    )


def test_a_small_gang_fills_the_fuller_node() -> None:
    nodes = [make_node("empty", cpus=8), make_node("fuller", cpus=8)]
    running = make_job("r", make_shape(milli_cpu=3000), attempts=(make_attempt([nodes[1]]),))
    assert starts(nodes, running, make_job("j", make_shape()))["j"].nodes == ("fuller",)


def test_a_small_gang_goes_to_the_smaller_node_and_leaves_the_large_one_whole() -> None:
    nodes = [make_node("large", cpus=64, memory=256), make_node("small", cpus=4, memory=8)]
    assert starts(nodes, make_job("j", make_shape()))["j"].nodes == ("small",)


def test_a_gang_without_gpus_leaves_nodes_with_gpus_alone() -> None:
    nodes = [make_node("a", gpus=8, cpus=4, memory=8), make_node("b", cpus=64, memory=512)]
    assert starts(nodes, make_job("j", make_shape()))["j"].nodes == ("b",)


def test_a_gang_without_gpus_goes_to_a_gpu_node_rather_than_wait() -> None:
    nodes = [make_node("a", gpus=8)]
    assert starts(nodes, make_job("j", make_shape()))["j"] == Start(gang="j", nodes=("a",))


def test_one_gpu_goes_where_the_fewest_are_left() -> None:
    nodes = rack("r", 2)
    running = make_job(
        "r",
        make_shape(milli_gpu=2000),
        attempts=(make_attempt([nodes[1]], devices=[(0, 2)]),),
    )
    start = starts(nodes, running, make_job("j", make_shape(milli_gpu=1000)))["j"]
    assert start == Start(gang="j", nodes=("r-1",), gpus=((1,),))


def test_a_share_goes_to_the_device_it_fills_best_even_where_more_is_free() -> None:
    nodes = [make_node("a", gpus=1), make_node("b", gpus=4)]
    running = make_job(
        "r", make_shape(milli_gpu=600), attempts=(make_attempt([nodes[1]], devices=[(3,)]),)
    )
    start = starts(nodes, running, make_job("j", make_shape(milli_gpu=400)))["j"]
    assert start == Start(gang="j", nodes=("b",), gpus=((3,),))


def test_a_share_is_not_put_together_from_several_devices() -> None:
    nodes = [make_node("a", gpus=2)]
    running = [
        make_job(
            f"r{place}",
            make_shape(milli_gpu=700),
            attempts=(make_attempt(nodes, devices=[(place,)]),),
        )
        for place in range(2)
    ]
    reason = reasons(nodes, *running, make_job("j", make_shape(milli_gpu=400)))["j"]
    assert (reason.resource, reason.need, reason.have) == ("milli_gpu", 400, 300)


def test_a_gang_whose_devices_are_not_known_blocks_the_devices_of_its_node() -> None:
    nodes = [make_node("a", gpus=4)]
    running = make_job("r", make_shape(milli_gpu=1000), attempts=(make_attempt(nodes),))
    reason = reasons(nodes, running, make_job("j", make_shape(milli_gpu=1000)))["j"]
    assert (reason.code, reason.resource, reason.have) == (
        ReasonCode.RESOURCES_BUSY,
        "milli_gpu",
        0,
    )
    assert starts(nodes, running, make_job("j", make_shape()))["j"].nodes == ("a",)


def test_a_tie_between_nodes_goes_to_the_rack_with_fewest_to_spare() -> None:
    nodes = [*rack("wide", 3), *rack("worn", 2)]
    assert starts(nodes, make_job("j", make_shape(milli_gpu=4000)))["j"].nodes == ("worn-0",)


def test_between_racks_with_as_many_nodes_the_one_more_used_is_taken() -> None:
    nodes = [*rack("a", 2), *rack("b", 2)]
    running = make_job(
        "r",
        make_shape(milli_gpu=1000),
        attempts=(make_attempt([nodes[3]], devices=[(0,)]),),
    )
    start = starts(nodes, running, make_job("j", make_shape(2, milli_gpu=1000)))["j"]
    assert start.nodes == ("b-0", "b-1")


def test_a_gang_wider_than_any_rack_takes_whole_racks_and_then_the_best_fitting() -> None:
    nodes = [*rack("a", 2), *rack("b", 4), *rack("c", 3), *rack("d", 1)]
    start = starts(nodes, make_job("j", make_shape(5, milli_gpu=4000)))["j"]
    assert start.nodes == ("b-0", "b-1", "b-2", "b-3", "d-0")


def test_the_first_kind_that_holds_the_gang_whole_is_taken() -> None:
    nodes = [
        make_node("h", gpus=1, kind="h100"),
        make_node("a1", gpus=1, kind="a100"),
        make_node("a2", gpus=1, kind="a100"),
    ]
    job = make_job("j", make_shape(2, milli_gpu=1000, kinds=["h100", "a100"]))
    assert starts(nodes, job)["j"].nodes == ("a1", "a2")


def test_a_gang_that_names_no_kind_may_be_given_several() -> None:
    nodes = [make_node("h", gpus=1, kind="h100"), make_node("a", gpus=1, kind="a100")]
    assert starts(nodes, make_job("j", make_shape(2, milli_gpu=1000)))["j"].nodes == ("a", "h")


def test_gangs_that_run_are_not_in_the_line() -> None:
    node = make_node("n")
    running = make_job("r", make_shape(), attempts=(make_attempt([node]),))
    decision = decide(encode_cold(make_world([node], [running]), NOW_MS), Policy())
    assert (decision.starts, decision.waits) == ((), ())


def test_a_gang_waits_for_its_window() -> None:
    window = Window(start_ms=NOW_MS + 60_000, end_ms=NOW_MS + 120_000)
    job = make_job("j", make_shape(), windows=(window,))
    assert reasons([make_node("n")], job)["j"] == Reason(
        code=ReasonCode.OUTSIDE_WINDOW,
        need=NOW_MS + 60_000,
        detail="the next has not opened yet",
    )
    over = make_job("j", make_shape(), windows=(Window(start_ms=0, end_ms=NOW_MS),))
    assert reasons([make_node("n")], over)["j"].detail == "the last is over"
    open_now = make_job("j", make_shape(), windows=(Window(start_ms=NOW_MS),))
    assert starts([make_node("n")], open_now).keys() == {"j"}


def test_a_decision_says_when_time_alone_would_change_it() -> None:
    later = Window(start_ms=NOW_MS + 9), Window(start_ms=NOW_MS + 5), Window(start_ms=0, end_ms=1)
    waits = make_job("a", make_shape(), windows=later)
    busy = make_job("b", make_shape(9))

    def again_ms(*jobs: Job, policy: Policy | None = None) -> int:
        snapshot = encode_cold(make_world([make_node("n")], jobs), NOW_MS)
        return decide(snapshot, policy or Policy()).again_ms

    assert again_ms(busy) == 0
    assert again_ms(busy, waits) == NOW_MS + 5
    assert again_ms(busy, waits, policy=Policy(steps_max=1)) == NOW_MS


def test_without_nodes_a_gang_is_told_that_there_are_none() -> None:
    assert reasons([], make_job("j", make_shape(2)))["j"] == Reason(
        code=ReasonCode.NO_NODES, resource="nodes", need=2
    )


def test_the_reason_names_the_resource_that_is_most_short_on_the_nearest_node() -> None:
    nodes = [make_node("a", cpus=2, memory=64), make_node("b", cpus=7, memory=30)]
    job = make_job("j", make_shape(milli_cpu=8000, memory=32))
    assert reasons(nodes, job)["j"] == Reason(
        code=ReasonCode.IMPOSSIBLE,
        resource="milli_cpu",
        need=8000,
        have=7000,
        detail="on b, the node that comes nearest",
    )
    more_memory = make_job("j", make_shape(milli_cpu=7000, memory=32))
    reason = reasons(nodes, more_memory)["j"]
    assert (reason.resource, reason.need, reason.have) == ("memory_bytes", 32 * GIB, 30 * GIB)


def test_what_can_never_start_keeps_nothing_from_others() -> None:
    nodes = [make_node("a", cpus=4), make_node("b", cpus=4, state=NodeState.DOWN)]
    impossible = make_job("huge", make_shape(9), queued_ms=0)
    away = make_job("away", make_shape(2), queued_ms=0)
    found = starts(nodes, impossible, away, make_job("j", make_shape()))
    assert found.keys() == {"j"}


def test_a_hold_keeps_only_the_domains_that_could_hold_the_gang() -> None:
    nodes = [*rack("a", 2), *rack("b", 1)]
    running = make_job(
        "r", make_shape(milli_gpu=4000), attempts=(make_attempt([nodes[0]], devices=[range(4)]),)
    )
    head = make_job("head", make_shape(2, milli_gpu=4000, same="rack"), queued_ms=0)
    later = [make_job(f"j{index}", make_shape(milli_gpu=4000)) for index in range(2)]
    assert {gang: start.nodes for gang, start in starts(nodes, running, head, *later).items()} == {
        "j0": ("b-0",)
    }
    assert reasons(nodes, running, head, *later)["j1"].code is ReasonCode.HELD_FOR_HEAD


def test_a_gang_held_from_nodes_is_told_how_many_it_could_have_whatever_it_holds_itself() -> None:
    nodes = [*rack("a", 2), *rack("b", 1)]
    running = make_job(
        "r", make_shape(milli_gpu=4000), attempts=(make_attempt([nodes[0]], devices=[range(4)]),)
    )
    head = make_job("head", make_shape(2, milli_gpu=4000, same="rack"), queued_ms=0)
    second = make_job("second", make_shape(2, milli_gpu=4000), queued_ms=1)
    reason = reasons(nodes, running, head, second)["second"]
    assert (reason.code, reason.need, reason.have) == (ReasonCode.HELD_FOR_HEAD, 2, 1)


def test_a_gang_that_asks_what_a_younger_one_asked_still_holds_when_its_time_has_come() -> None:
    nodes = [make_node("a", cpus=4)]
    running = make_job("r", make_shape(milli_cpu=2000), attempts=(make_attempt(nodes),))
    young = make_job("young", make_shape(milli_cpu=4000), priority=5)
    old = make_job("old", make_shape(milli_cpu=4000), queued_ms=0)
    small = make_job("small", make_shape(), priority=-1)
    found = reasons(nodes, running, young, old, small)
    assert found["small"].code is ReasonCode.HELD_FOR_HEAD
    assert found["old"].code is ReasonCode.RESOURCES_BUSY


def test_a_large_gang_starts_in_the_end_however_many_small_ones_arrive() -> None:
    nodes = [make_node(f"n{index}", cpus=2) for index in range(3)]
    world = make_world(
        nodes, [make_job("large", make_shape(3, milli_cpu=2000), queued_ms=NOW_MS + 1)]
    )
    minute_ms, ends_ms = 60_000, dict[str, int]()
    for minute in range(60):
        now_ms = NOW_MS + minute * minute_ms
        for gang in [gang for gang, end_ms in ends_ms.items() if end_ms <= now_ms]:
            del world.jobs[gang], ends_ms[gang]
        for index in range(3):
            world.put(make_job(f"s{minute:02}{index}", make_shape(), queued_ms=now_ms))
        decision = decide(encode_cold(world, now_ms), Policy())
        if "large" in {start.gang for start in decision.starts}:
            assert 10 <= minute <= 16
            return
        for start in decision.starts:
            attempt = make_attempt([world.nodes[node] for node in start.nodes])
            world.put(world.jobs[start.gang].with_attempt(attempt))
            ends_ms[start.gang] = now_ms + 5 * minute_ms
    raise AssertionError("the large gang never started")


def _on_machine(node: Node, machine: str) -> Node:
    path = (*node.report.topology[:-1], machine)
    return replace(node, report=replace(node.report, topology=path))
