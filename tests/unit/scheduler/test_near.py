"""Gangs go where their data is: after GPUs, before cores and memory, and never instead of starting."""

from collections.abc import Sequence

from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Policy
from tests.scenario.build import NOW_MS, make_job, make_node, make_shape, make_world

GIB = 1 << 30
DATA = (("sha256:big", 500 * GIB), ("sha256:small", GIB))


def nodes_of(nodes: Sequence[Node], job: Job) -> tuple[str, ...]:
    decision = decide(encode_cold(make_world(nodes, [job]), NOW_MS), Policy())
    return decision.starts[0].nodes if decision.starts else ()


def test_of_nodes_alike_the_one_that_keeps_the_data_is_taken() -> None:
    nodes = [make_node("a"), make_node("b", cached=["sha256:big"]), make_node("c")]
    assert nodes_of(nodes, make_job("job", make_shape(), data=DATA)) == ("b",)
    assert nodes_of(nodes, make_job("job", make_shape())) == ("a",)


def test_the_most_bytes_count_not_the_most_trees() -> None:
    nodes = [make_node("a", cached=["sha256:small"]), make_node("b", cached=["sha256:big"])]
    assert nodes_of(nodes, make_job("job", make_shape(), data=DATA)) == ("b",)


def test_data_counts_before_cores_and_memory() -> None:
    nodes = [make_node("a", cpus=4), make_node("b", cpus=64, cached=["sha256:big"])]
    assert nodes_of(nodes, make_job("job", make_shape(), data=DATA)) == ("b",)


def test_no_node_is_broken_into_for_the_sake_of_data() -> None:
    nodes = [make_node("a", gpus=1), make_node("b", gpus=8, cached=["sha256:big"])]
    assert nodes_of(nodes, make_job("job", make_shape(milli_gpu=1000), data=DATA)) == ("a",)


def test_a_gang_does_not_wait_for_a_node_that_keeps_its_data() -> None:
    nodes = [make_node("a"), make_node("b", cached=["sha256:big"], state=NodeState.CORDONED)]
    assert nodes_of(nodes, make_job("job", make_shape(), data=DATA)) == ("a",)


def test_of_several_nodes_and_racks_those_with_the_data_are_taken() -> None:
    nodes = [
        make_node("a", place="s/h/p/l/r1"),
        make_node("b", place="s/h/p/l/r1"),
        make_node("c", place="s/h/p/l/r2", cached=["sha256:big"]),
        make_node("d", place="s/h/p/l/r2", cached=["sha256:big"]),
    ]
    assert nodes_of(nodes, make_job("job", make_shape(2), data=DATA)) == ("c", "d")
    together = [
        make_node(name, place="s/h/p/l/r1", cached=["sha256:big"] if name in "bd" else [])
        for name in "abcd"
    ]
    assert nodes_of(together, make_job("job", make_shape(2), data=DATA)) == ("b", "d")


def test_ranks_still_go_by_the_fabric_not_by_data() -> None:
    nodes = [make_node("a"), make_node("b", cached=["sha256:big"])]
    assert nodes_of(nodes, make_job("job", make_shape(2), data=DATA)) == ("a", "b")
