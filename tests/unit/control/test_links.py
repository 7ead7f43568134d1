"""Failures of what lies between nodes: laid to both ends, and to a rack or leaf where many of its nodes fail together."""

from dataclasses import replace

from gigawatt.model.attempt import Verdict
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.launch import AttemptKey
from gigawatt.model.node import NodeState
from gigawatt.model.resources import Resources
from tests.loop import Loop, a_spec
from tests.machines import a_report

RESET = "RuntimeError: [gloo] Connection reset by peer"
PER_RACK = 4
BAD = "r1"


def of_racks(racks: int) -> Loop:
    """Racks of four nodes with room for one gang each, and an address of its own for each."""
    names = [f"r{rack}-n{node}" for rack in range(racks) for node in range(PER_RACK)]
    reports = [a_report(name, milli_cpu=1_000, rack=name.split("-")[0]) for name in names]
    return Loop.of(
        *(replace(report, address=f"10.0.0.{place + 1}") for place, report in enumerate(reports))
    )


def pair_of(loop: Loop, id: str = "job-1") -> Job:
    return loop.submit(a_spec(nodes=2, milli_cpu=1_000, retries_user=0), id=id)


def fails(loop: Loop, *said: str, id: str = "job-1", rank: int = 0) -> Job:
    """Its attempt that runs ends with these words."""
    loop.later(1_000)
    loop.machines.exit(
        AttemptKey(gang=id, attempt=len(loop.job(id).attempts)), rank, code=1, said=said
    )
    loop.step()
    return loop.job(id)


def test_two_nodes_whose_ranks_lost_each_other_are_both_suspect_and_the_job_pays_nothing() -> None:
    loop = of_racks(2)
    pair_of(loop)
    job = fails(loop, "step 7", RESET)
    first, second = job.attempts
    assert (first.verdict, first.charged_to) == (Verdict.INFRASTRUCTURE, "infrastructure")
    assert first.blamed == tuple(sorted(first.nodes))
    assert sorted(loop.world.marked) == sorted(first.nodes)
    assert not set(first.nodes) & set(second.nodes)
    (fact,) = [fact for fact in first.evidence if fact.what == "link"]
    assert fact.detail == (
        f"ranks on {first.nodes[0]} and {first.nodes[1]}, which part below rack r0, lost each other: {RESET}"
    )


def test_a_program_that_loses_its_peers_elsewhere_too_is_its_users_and_no_mark_stays() -> None:
    loop = of_racks(2)
    pair_of(loop)
    fails(loop, RESET)
    fails(loop, RESET)  # in the same rack again, which says nothing new
    loop.later(10_000)
    loop.step()
    job = fails(loop, RESET)
    assert job.phase is JobPhase.FAILED
    assert [attempt.charged_to for attempt in job.attempts] == ["user"] * 3
    assert not loop.world.marked


def test_a_rank_that_fails_in_another_way_explains_what_its_peers_say() -> None:
    loop = of_racks(1)
    pair_of(loop)
    loop.later(1_000)
    key = AttemptKey(gang="job-1", attempt=1)
    loop.machines.exit(key, 0, code=1, said=(RESET,))
    loop.machines.exit(key, 1, code=1, said=("ValueError: no such layer",))
    loop.step()
    assert loop.job().attempts[0].charged_to == "user"
    assert not loop.world.marked


def test_of_a_larger_gang_the_peer_that_is_named_is_the_other_end() -> None:
    loop = of_racks(2)
    loop.submit(a_spec(nodes=4, milli_cpu=1_000))
    nodes = loop.job().attempts[0].nodes
    address = loop.world.nodes[nodes[2]].report.address
    job = fails(loop, f"ncclRemoteError: connection to {address}:5555 timed out")
    assert job.attempts[0].blamed == tuple(sorted((nodes[0], nodes[2])))


def test_without_a_name_a_larger_gang_says_nothing_of_any_node() -> None:
    loop = of_racks(2)
    loop.submit(a_spec(nodes=4, milli_cpu=1_000))
    job = fails(loop, RESET)
    assert job.attempts[0].charged_to == "user"
    assert not loop.world.marked


def test_a_rack_whose_nodes_fail_together_is_suspect_itself_and_none_of_them_is_cordoned() -> None:
    loop = of_racks(8)
    spread = Shape(nodes_min=2, nodes_max=2, per_node=Resources(milli_cpu=1_000))
    for number in range(16):
        spec = JobSpec(
            name="job",
            command=("train", f"--seed={number}"),
            shape=spread,
            environment="host",
            retries_infrastructure=9,
        )
        loop.submit(spec, id=f"job-{number:02}")
    for _ in range(6):
        for number in range(16):
            job = loop.job(f"job-{number:02}")
            nodes = job.attempts[-1].nodes
            if job.phase is JobPhase.RUNNING and any(node.startswith(BAD) for node in nodes):
                fails(loop, RESET, id=job.id)
    jobs = [loop.job(f"job-{number:02}") for number in range(16)]
    assert {attempt.charged_to for job in jobs for attempt in job.attempts} <= {
        "",
        "infrastructure",
    }
    assert {node.state for node in loop.world.nodes.values()} == {NodeState.READY}
    facts = [fact for job in jobs for a in job.attempts for fact in a.evidence]
    told = [fact.detail for fact in facts if fact.what == "domain"]
    assert told
    assert told[-1].startswith(
        "rack r1: attempts failed on 4 of its 4 nodes, and on 0 of 28 others"
    )
    for number in range(16):
        for rank in (0, 1):
            loop.machines.exit(AttemptKey(gang=f"job-{number:02}", attempt=1), rank)
    loop.step()
    assert all(
        not any(node.startswith(BAD) for node in job.attempts[-1].nodes)
        for job in map(loop.job, [f"job-{number:02}" for number in range(16)])
        if job.phase is JobPhase.RUNNING and len(job.attempts) > 1
    )
