"""Elastic jobs in the twin: on fewer nodes they take longer, and where there is room again they grow."""

from gigawatt.scheduler.policy import Policy
from gigawatt.twin.happenings import Timing
from gigawatt.twin.report import Report
from gigawatt.twin.run import Scenario, run
from tests.unit.twin.sites import gpu_site, gpu_work

SAVES = Timing(checkpoint_ms=600_000, startup_ms=60_000)
HOUR_S = 3_600


def played(policy: Policy) -> Report:
    """Two nodes: a job that has one of them for an hour, and an elastic one of ten hours on two."""
    work = (gpu_work(0, HOUR_S), gpu_work(1, 10 * HOUR_S, nodes=1, most=2))
    return run(Scenario(nodes=gpu_site(2), workload=work, policy=policy, timing=SAVES))


def test_on_half_of_its_nodes_it_takes_twice_as_long() -> None:
    report = played(Policy(grow_every_ms=0))
    assert report.makespan_s == 20 * HOUR_S + 60 + 1


def test_it_grows_at_the_first_checkpoint_that_pays_after_its_nodes_are_free() -> None:
    report = played(Policy())
    # It is asked when the first job ends, and has done 3,599 s of its work on one node by then.
    assert report.makespan_s == HOUR_S + 60 + 60 + 10 * HOUR_S - 3_599 / 2
    assert report.jobs_completed == 2
