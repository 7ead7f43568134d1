"""A run of the packing protocol, end to end on small lists."""

import subprocess
import sys
from dataclasses import replace

import pytest

from gigawatt.scheduler.packing import names
from gigawatt.twin.arrivals import Work, work_of
from gigawatt.twin.pack import Packing, pack
from tests.unit.twin.pods import drawn_nodes, drawn_pods

RATIOS = (0.5, 1.0, 1.3)


def some_work(seed: int = 1) -> Work:
    return work_of(drawn_nodes(seed), drawn_pods(seed))


def checked(work: Work, run: Packing) -> float:
    """Per cent of the GPUs in use, after every placement was carried out by hand."""
    node_of = {node.name: node for node in work.nodes}
    pod_of = {pod.name: pod for pod in work.pods}
    left = {name: [node.cpu_milli, node.memory_mib] for name, node in node_of.items()}
    free = {name: [1000] * node.gpus for name, node in node_of.items()}
    for each in run.placements:
        pod, node = pod_of[each.pod], node_of[each.node]
        assert len(set(each.gpus)) == pod.gpus
        assert not pod.gpus or not pod.models or node.model in pod.models
        left[each.node][0] -= pod.cpu_milli
        left[each.node][1] -= pod.memory_mib
        for gpu in each.gpus:
            free[each.node][gpu] -= pod.gpu_milli
        assert min(*left[each.node], *free[each.node]) >= 0
    idle = sum(map(sum, free.values()))
    return 100 * (1 - idle / (1000 * sum(node.gpus for node in work.nodes)))


@pytest.mark.parametrize("policy", names.POLICIES)
def test_allocation_is_what_the_placements_take_and_grows_with_the_ratio(policy: str) -> None:
    work = some_work()
    run = pack(work, policy, RATIOS, 42)
    percents = list(run.allocation_percent.values())
    assert list(run.allocation_percent) == list(RATIOS)
    assert percents == sorted(percents)
    assert percents[-1] == pytest.approx(checked(work, run), abs=1e-3)
    assert (run.dropped_feasible, run.placed) == (0, len(run.placements))
    assert run.arrived > run.placed


@pytest.mark.parametrize("policy", names.POLICIES)
def test_the_same_seed_gives_the_same_placements_and_another_gives_others(policy: str) -> None:
    work = some_work()
    assert pack(work, policy, RATIOS, 42) == pack(work, policy, RATIOS, 42)
    other = pack(work, policy, RATIOS, 43)
    assert pack(work, policy, RATIOS, 42).placements_sha256 != other.placements_sha256


def test_what_is_measured_at_one_ratio_does_not_depend_on_the_others() -> None:
    work = some_work()
    whole = pack(work, names.DEFAULT, RATIOS, 42)
    part = pack(work, names.DEFAULT, (1.0,), 42)
    assert part.allocation_percent == {1.0: whole.allocation_percent[1.0]}
    assert part.placements == whole.placements[: part.placed]


def test_pods_whose_model_is_nowhere_are_dropped_and_those_without_gpus_are_not() -> None:
    nodes = drawn_nodes(1)
    pods = tuple(replace(pod, models=("H900",)) for pod in drawn_pods(1))
    run = pack(work_of(nodes, pods), names.DEFAULT, (1.0,), 42)
    placed = {pod.name for pod in pods if pod.gpus == 0}
    assert run.allocation_percent == {1.0: 0.0}
    assert {each.pod for each in run.placements} <= placed
    assert run.placements


def test_placements_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from tests.unit.twin.pods import drawn_nodes, drawn_pods\n"
        "from gigawatt.twin.arrivals import work_of\n"
        "from gigawatt.twin.pack import pack\n"
        "work = work_of(drawn_nodes(1), drawn_pods(1))\n"
        f"for policy in {names.POLICIES!r}:\n"
        "    print(pack(work, policy, (1.3,), 42).placements_sha256)\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("0", "1")
    }
    assert len(told) == 1
