"""What is said to the owner of a gang that waits, or that has not been submitted yet."""

from gigawatt.model.decision import Start
from gigawatt.model.gang import Gang, Shape
from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.scheduler.dry_run import asked, feasible, what_if
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.explain import CheapestChange, Explanation, explain
from gigawatt.scheduler.policy import Policy
from tests.scenario.build import (
    GIB,
    NOW_MS,
    make_attempt,
    make_job,
    make_node,
    make_shape,
    make_world,
)


def change(nodes: list[Node], shape: Shape, *others: Job) -> CheapestChange | None:
    world = make_world(nodes, [*others, make_job("j", shape)])
    told = explain(encode_cold(world, NOW_MS), "j", Policy())
    assert told
    return told.cheapest_change


def a_gang(shape: Shape) -> Gang:
    return make_job("j", shape).gang()


def test_a_gang_that_is_not_in_the_line_has_no_explanation() -> None:
    assert explain(encode_cold(make_world(), NOW_MS), "j", Policy()) is None


def test_a_gang_that_starts_now_is_told_where() -> None:
    world = make_world([make_node("n")], [make_job("j", make_shape())])
    assert explain(encode_cold(world, NOW_MS), "j", Policy()) == Explanation(
        gang="j", start=Start(gang="j", nodes=("n",))
    )


def test_a_gang_that_waits_is_told_its_position_its_reason_and_a_change() -> None:
    nodes = [make_node("n", cpus=4)]
    jobs = [
        make_job("a", make_shape(milli_cpu=3000)),
        make_job("b", make_shape(milli_cpu=4000)),
        make_job("c", make_shape(milli_cpu=2000)),
    ]
    assert explain(encode_cold(make_world(nodes, jobs), NOW_MS), "c", Policy()) == Explanation(
        gang="c",
        position=2,
        reason=Reason(
            code=ReasonCode.RESOURCES_BUSY,
            resource="milli_cpu",
            need=2000,
            have=1000,
            detail="on n, the node that comes nearest",
        ),
        cheapest_change=CheapestChange(field="gang.cpus", before=2, after=1),
    )


def test_a_wider_place_is_offered_before_anything_is_given_up() -> None:
    nodes = [make_node("a", place="s/h/p/l/r1"), make_node("b", place="s/h/p/l/r2")]
    assert change(nodes, make_shape(2, same="rack")) == CheapestChange(
        field="gang.same", before="rack", after="leaf"
    )


def test_a_place_that_no_level_can_give_is_offered_to_be_left_out() -> None:
    nodes = [make_node("a", place="s1"), make_node("b", place="s2")]
    assert change(nodes, make_shape(2, same="site")) == CheapestChange(
        field="gang.same", before="site", after=""
    )


def test_another_kind_is_offered_as_one_more_alternative() -> None:
    nodes = [make_node("a", gpus=1, kind="a100")]
    assert change(nodes, make_shape(milli_gpu=1000, kinds=["h100"])) == CheapestChange(
        field="gang.gpu_kinds", before=("h100",), after=("h100", "a100")
    )


def test_of_several_cuts_the_smallest_in_proportion_is_offered() -> None:
    nodes = [make_node("a", cpus=6, memory=64), make_node("b", cpus=64, memory=15)]
    assert change(nodes, make_shape(milli_cpu=8000, memory=16)) == CheapestChange(
        field="gang.memory", before=16 * GIB, after=15 * GIB
    )


def test_cores_are_offered_in_cores_and_devices_in_gpus() -> None:
    nodes = [make_node("a", cpus=8, gpus=4)]
    running = make_job(
        "r",
        make_shape(milli_cpu=500, milli_gpu=1000),
        attempts=(make_attempt(nodes, devices=[(0,)]),),
    )
    assert change(nodes, make_shape(milli_cpu=8000), running) == CheapestChange(
        field="gang.cpus", before=8, after=7.5
    )
    assert change(nodes, make_shape(milli_gpu=4000), running) == CheapestChange(
        field="gang.gpus", before=4, after=3
    )


def test_devices_are_cut_to_a_number_that_the_ranks_can_share_evenly() -> None:
    nodes = [make_node("a", gpus=7)]
    assert change(nodes, make_shape(milli_gpu=8000, ranks=4)) == CheapestChange(
        field="gang.gpus", before=8, after=4
    )


def test_a_share_of_a_device_is_cut_to_the_largest_share_that_is_free() -> None:
    nodes = [make_node("a", gpus=1)]
    running = make_job(
        "r", make_shape(milli_gpu=700), attempts=(make_attempt(nodes, devices=[(0,)]),)
    )
    assert change(nodes, make_shape(milli_gpu=400), running) == CheapestChange(
        field="gang.gpus", before=0.4, after=0.3
    )


def test_an_elastic_gang_is_offered_a_smaller_least() -> None:
    nodes = [make_node("a"), make_node("b")]
    assert change(nodes, make_shape((3, 5))) == CheapestChange(
        field="gang.nodes.min", before=3, after=2
    )


def test_where_no_single_change_would_do_none_is_offered() -> None:
    assert change([make_node("a", cpus=1)], make_shape(2, milli_cpu=2000)) is None


def test_feasible_says_both_numbers_and_counts_nodes_that_are_away_or_busy() -> None:
    nodes = [make_node("a", cpus=4), make_node("b", cpus=4, state=NodeState.DOWN)]
    busy = make_job("r", make_shape(milli_cpu=4000), attempts=(make_attempt(nodes[:1]),))
    world = make_world(nodes, [busy])
    assert feasible(world, a_gang(make_shape(2, milli_cpu=4000))) is None
    assert feasible(world, a_gang(make_shape(3))) == Reason(
        code=ReasonCode.IMPOSSIBLE,
        resource="nodes",
        need=3,
        have=2,
        detail="counting nodes that are large enough",
    )


def test_feasible_names_the_kinds_that_there_are() -> None:
    world = make_world([make_node("a", gpus=1, kind="a100"), make_node("b", gpus=1, kind="l4")])
    gang = a_gang(make_shape(milli_gpu=1000, kinds=["h100", "b200"]))
    assert feasible(world, gang) == Reason(
        code=ReasonCode.GPU_KIND,
        resource="nodes",
        need=1,
        have=0,
        detail="it names h100 or b200; there is a100, l4",
    )


def test_more_than_one_gpu_that_is_not_whole_is_never_feasible() -> None:
    world = make_world([make_node("a", gpus=4)])
    assert feasible(world, a_gang(make_shape(milli_gpu=1500))) == Reason(
        code=ReasonCode.IMPOSSIBLE,
        resource="milli_gpu",
        need=1500,
        have=1000,
        detail="more than one GPU is given in whole devices",
    )


def test_a_dry_run_shows_the_start_or_the_reason_without_changing_the_line() -> None:
    snapshot = encode_cold(make_world([make_node("n", gpus=2)]), NOW_MS)
    start = what_if(snapshot, a_gang(make_shape(milli_gpu=2000)), Policy())
    assert start == Start(gang="j", nodes=("n",), gpus=((0, 1),))
    reason = what_if(snapshot, a_gang(make_shape(milli_gpu=4000)), Policy())
    assert isinstance(reason, Reason)
    assert (reason.code, reason.need, reason.have) == (ReasonCode.IMPOSSIBLE, 4000, 2000)
    assert snapshot.gangs.ids == ()


def test_a_gang_that_is_asked_about_is_explained_as_if_it_waited() -> None:
    nodes = [make_node("n", cpus=4)]
    ahead, shape = make_job("a", make_shape(milli_cpu=5000)), make_shape(milli_cpu=6000)
    snapshot = encode_cold(make_world(nodes, [ahead]), NOW_MS)
    told = asked(snapshot, make_job("j", shape).gang(), Policy())
    joined = encode_cold(make_world(nodes, [ahead, make_job("j", shape)]), NOW_MS)
    assert told == explain(joined, "j", Policy())
    assert (told.position, told.cheapest_change) == (
        2,
        CheapestChange(field="gang.cpus", before=6, after=4),
    )
    smaller = make_job("j", make_shape(milli_cpu=4000)).gang()
    assert asked(snapshot, smaller, Policy()).start == Start(gang="j", nodes=("n",))
    assert snapshot.gangs.ids == ("a",)
