"""The twin on public traces: mean waits against another simulator's, and jobs a second of CPU with invariants off."""

import time

from benchmarks.figures import Figure
from benchmarks.traces import absent, found
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.cluster import read_cluster
from gigawatt.twin.report import Report
from gigawatt.twin.run import Scenario
from gigawatt.twin.run import run as play
from gigawatt.twin.traces.swf import read_swf
from gigawatt.twin.traces.table import PHILLY, Mapped, read_table
from gigawatt.twin.traces.trace import Trace

RICC = ("pwa-swf", "RICC-2010-2.swf.gz")
PHILLY_82K = ("philly", "philly_pollux_82k.csv.gz")
FIRST = 5_000
ACCASIM_WAIT_S = {"fifo": 16_220.55, "easy": 7_330.83}
TOLERANCE_PERCENT = 1.0


def run() -> list[Figure]:
    return [*_ricc(), *_philly()]


def _ricc() -> list[Figure]:
    file = found(*RICC)
    if file is None:
        print(absent(*RICC))
        return []
    figures: list[Figure] = []
    trace = read_swf(file, jobs_max=FIRST)
    for policy, theirs_s in ACCASIM_WAIT_S.items():
        report, cpu_s = _played(trace, "1024x8", policy, gpus=False)
        assert report.wait_s.mean is not None
        figures += [
            Figure(
                what=f"RICC, first {FIRST} jobs, {policy}: mean wait apart from accasim's",
                value=abs(report.wait_s.mean / theirs_s - 1) * 100,
                unit="%",
                goal=TOLERANCE_PERCENT,
                note=f"{report.wait_s.mean:.1f} s against {theirs_s} s",
            ),
            Figure(
                what="  jobs a second of CPU",
                value=FIRST / cpu_s,
                unit="/s",
                goal=5_000,
                at_least=True,
            ),
        ]
    return figures


def _philly() -> list[Figure]:
    file = found(*PHILLY_82K)
    if file is None:
        print(absent(*PHILLY_82K))
        return []
    trace = read_table(file, Mapped(columns=PHILLY, node_gpus=8), jobs_max=FIRST)
    report, cpu_s = _played(trace, "56x8", "default", gpus=True)
    return [
        Figure(
            what=f"Philly, first {FIRST} jobs on 448 GPUs: jobs a second of CPU",
            value=report.jobs_completed / cpu_s,
            unit="/s",
            goal=4_100,
            at_least=True,
            note="all 82,247 in 20 s would be that",
        )
    ]


def _played(trace: Trace, cluster: str, policy: str, *, gpus: bool) -> tuple[Report, float]:
    scenario = Scenario(
        nodes=read_cluster(cluster, gpus=gpus),
        workload=trace.works,
        policy=POLICIES[policy],
        policy_name=policy,
        check=False,
    )
    began_s = time.process_time()
    report = play(scenario)
    return report, time.process_time() - began_s
