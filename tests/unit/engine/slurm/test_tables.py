"""Slurm's nodes and jobs, from lines as its commands print them."""

import pytest

from gigawatt.engine.slurm.tables import gpu_count, mib, parse_job, parse_node

NODE = "n1|10.0.0.1|{state}|4/60/0/64|1000000|400|gpu:h100:8|gpu:h100:2(IDX:0-1)|h100,rack1|{why}|"


def test_a_node_has_what_it_has_and_what_is_taken() -> None:
    node = parse_node(NODE.format(state="mixed", why="none"))
    assert (node.name, node.address, node.cpus, node.allocated_cpus) == ("n1", "10.0.0.1", 64, 4)
    assert (node.memory_mib, node.allocated_mib) == (1000000, 400)
    assert (node.gpu_kind, node.gpus, node.allocated_gpus) == ("h100", 8, 2)
    assert (node.features, node.reason) == (("h100", "rack1"), "")


@pytest.mark.parametrize(
    ("state", "dead", "closed", "answers"),
    [
        ("idle", False, False, True),
        ("mixed", False, False, True),
        ("idle+drain", False, True, True),
        ("idle*", False, False, False),
        ("idle+not_responding", False, False, False),
        ("down+not_responding", True, False, False),
        ("down*", True, False, False),
        ("idle+cloud+powered_down", False, False, True),
        ("allocated+maint", False, True, True),
    ],
)
def test_its_states_say_whether_it_lives_takes_jobs_and_answers(
    state: str, *, dead: bool, closed: bool, answers: bool
) -> None:
    node = parse_node(NODE.format(state=state, why="none"))
    assert (node.dead, node.closed, node.answers) == (dead, closed, answers)


def test_a_reason_may_hold_the_separator() -> None:
    assert parse_node(NODE.format(state="idle+drain", why="bad | dimm")).reason == "bad | dimm"


def test_a_job_has_its_nodes_and_amounts() -> None:
    job = parse_job("7|RUNNING|gw-x|n[1,3]|cpu=8,mem=1.50G,node=2,billing=8|None|")
    assert (job.id, job.nodes, job.cpus, job.memory_mib) == (7, ("n1", "n3"), 8, 1536)
    assert not job.waits


@pytest.mark.parametrize(
    ("gres", "found"),
    [
        ("gpu:h100:8", ("h100", 8)),
        ("gpu:8(S:0-1)", ("", 8)),
        ("gpu:a100:2,gpu:h100:4,nic:2", ("a100", 6)),
        ("(null)", ("", 0)),
        ("gpu:h100:0(IDX:N/A)", ("h100", 0)),
    ],
)
def test_gpus_are_counted_over_all_kinds(gres: str, found: tuple[str, int]) -> None:
    assert gpu_count(gres) == found


@pytest.mark.parametrize(("text", "amount"), [("100", 100), ("2G", 2048), ("1T", 1 << 20)])
def test_memory_is_read_in_its_unit(text: str, amount: int) -> None:
    assert mib(text) == amount


@pytest.mark.parametrize("line", ["", "a|b", "n1|x|idle|0/64|1|1|g|g|f|r"])
def test_another_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_node(line)
