"""A public trace against the figures of another simulator. The trace is not part of the project."""

import pytest
from benchmarks.traces import absent, found
from benchmarks.twin import RICC

from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.cluster import read_cluster
from gigawatt.twin.run import Scenario, run
from gigawatt.twin.traces.swf import read_swf


@pytest.mark.slow
@pytest.mark.skipif(found(*RICC) is None, reason=absent(*RICC))
@pytest.mark.parametrize(("policy", "accasim_s"), [("fifo", 16_220.55), ("easy", 7_330.83)])
def test_the_mean_wait_of_riccs_first_jobs_is_accasims(policy: str, accasim_s: float) -> None:
    file = found(*RICC)
    assert file is not None
    works = read_swf(file, jobs_max=5_000).works
    nodes = read_cluster("1024x8", gpus=False)
    report = run(Scenario(nodes=nodes, workload=works, policy=POLICIES[policy], check=False))
    assert report.wait_s.mean == pytest.approx(accasim_s, rel=0.01)
