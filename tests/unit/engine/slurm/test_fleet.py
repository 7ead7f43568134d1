"""The fleet: what of Slurm's nodes is ours to use, and when one is lost."""

from dataclasses import replace

from gigawatt.engine.slurm.batch import Share
from gigawatt.engine.slurm.fleet import Fleet, Plan
from gigawatt.engine.slurm.site import Site
from gigawatt.engine.slurm.tables import SlurmJob, SlurmNode
from gigawatt.engine.slurm.topology import Topology
from gigawatt.model.observation import NodeLost, NodeSeen

NODE = SlurmNode(
    name="n1",
    address="10.0.0.1",
    states=("idle",),
    answers=True,
    cpus=64,
    allocated_cpus=0,
    memory_mib=1000,
    allocated_mib=0,
    gpu_kind="h100",
    gpus=8,
    allocated_gpus=0,
    features=(),
    reason="",
)
OURS = SlurmJob(
    id=1, state="RUNNING", name="g.1", nodes=("n1",), cpus=8, memory_mib=100, reason="None"
)
PLAN = Plan(share=Share(cpus=8, memory_mib=100, gpus=2), held={"n1": ("n1/gpu6", "n1/gpu7")})


def a_fleet() -> Fleet:
    return Fleet(Site(topology=Topology(site="ci"), system="Linux", pythons=(), silent_s=10))


def report_of(fleet: Fleet) -> tuple[int, int, tuple[str, ...]]:
    (report,) = fleet.reports
    return (
        report.total.milli_cpu // 1000,
        report.total.memory_bytes >> 20,
        tuple(gpu.uuid for gpu in report.gpus),
    )


def test_what_others_have_counts_once_it_is_told_twice() -> None:
    fleet = a_fleet()
    taken = replace(NODE, allocated_cpus=12, allocated_mib=300, allocated_gpus=3)
    fleet.take([NODE], {}, {}, now_ms=0)
    assert fleet.take([taken], {}, {}, now_ms=1).seen == []
    fleet.take([taken], {}, {}, now_ms=2)
    cpus, memory, gpus = report_of(fleet)
    assert (cpus, memory, len(gpus)) == (52, 700, 5)


def test_our_own_jobs_are_not_others() -> None:
    fleet = a_fleet()
    busy = replace(NODE, allocated_cpus=8, allocated_mib=100, allocated_gpus=2)
    for now_ms in range(2):
        fleet.take([busy], {"g.1": OURS}, {"g.1": PLAN}, now_ms=now_ms)
    assert report_of(fleet) == (64, 1000, tuple(f"n1/gpu{index}" for index in range(8)))


def test_devices_that_we_hold_are_never_taken_for_others() -> None:
    fleet = a_fleet()
    busy = replace(NODE, allocated_cpus=8, allocated_mib=100, allocated_gpus=6)
    fleet.take([busy], {"g.1": OURS}, {"g.1": PLAN}, now_ms=0)
    assert report_of(fleet)[2] == ("n1/gpu0", "n1/gpu1", "n1/gpu6", "n1/gpu7")


def test_a_dead_node_is_lost_once_and_seen_when_it_is_back() -> None:
    fleet = a_fleet()
    fleet.take([NODE], {}, {}, now_ms=0)
    down = replace(NODE, states=("down",), answers=False, reason="Not responding")
    changes = fleet.take([down], {}, {}, now_ms=1)
    why = "Slurm has it down: Not responding"
    assert changes.seen == [NodeLost(at_ms=1, node="n1", reason=why)]
    assert changes.lost == ["n1"]
    assert fleet.take([down], {}, {}, now_ms=2).seen == []
    (back,) = fleet.take([NODE], {}, {}, now_ms=3).seen
    assert isinstance(back, NodeSeen)


def test_a_node_that_does_not_answer_is_lost_only_where_ours_are_silent_too() -> None:
    fleet = a_fleet()
    fleet.take([NODE], {}, {}, now_ms=0)
    mute = replace(NODE, answers=False)
    assert fleet.take([mute], {}, {}, now_ms=1).lost == []
    assert fleet.take([mute], {}, {}, silent=frozenset({"n1"}), now_ms=2).lost == ["n1"]


def test_a_node_that_slurm_has_no_more_is_lost() -> None:
    fleet = a_fleet()
    fleet.take([NODE], {}, {}, now_ms=0)
    assert fleet.take([], {}, {}, now_ms=1).lost == ["n1"]
    assert fleet.refusal("n1") == "there is no node n1"


def test_a_drain_of_others_closes_a_node_and_our_own_does_not() -> None:
    fleet = a_fleet()
    drained = replace(NODE, states=("drain", "idle"), reason="bad dimm")
    fleet.take([drained], {}, {}, now_ms=0)
    assert fleet.reports[0].closed == "Slurm has it drain+idle: bad dimm"
    assert "bad dimm" in fleet.refusal("n1")
    fleet.take([replace(drained, reason="gigawatt: fan noise")], {}, {}, now_ms=1)
    assert fleet.reports[0].closed == ""
