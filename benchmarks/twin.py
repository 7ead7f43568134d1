"""The twin on public traces: mean waits against another simulator's, and jobs a second of CPU with invariants off."""

import time
from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.traces import absent, found
from gigawatt.model.gang import Shape
from gigawatt.model.resources import Resources
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.cluster import read_cluster
from gigawatt.twin.failures import FailureRate, Failures, Lemons, Repair
from gigawatt.twin.happenings import Timing
from gigawatt.twin.report import Report
from gigawatt.twin.run import Scenario, Twin
from gigawatt.twin.run import run as play
from gigawatt.twin.site import NodeGroup, build_site
from gigawatt.twin.synthetic import Size, Synthetic, synthetic_works
from gigawatt.twin.traces.swf import read_swf
from gigawatt.twin.traces.table import PHILLY, Mapped, read_table
from gigawatt.twin.traces.trace import Trace

RICC = ("pwa-swf", "RICC-2010-2.swf.gz")
PHILLY_82K = ("philly", "philly_pollux_82k.csv.gz")
FIRST = 5_000
SITES = (2_500, 25_000, 312_500)  # nodes
SITE_GPUS = 4
JOBS = 10_000  # on each: the largest is far from full with so many
GANGS = {1: 8.0, 2: 3.0, 4: 2.0, 16: 1.0}  # nodes, and how many such come against the others
FULL = 0.8  # of the nodes, once as many jobs end as come
MEAN_NODE_MS = 9_600_000 * 38 / 14  # of a job, on all of its nodes
ACCASIM_WAIT_S = {"fifo": 16_220.55, "easy": 7_330.83}
TOLERANCE_PERCENT = 1.0


def run() -> list[Figure]:
    return [*_ricc(), *_philly(), *_month()]


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


def _month() -> Iterator[Figure]:
    """Jobs that keep a site busy for some days, with failures, on sites of more and more GPUs."""
    first_us: float | None = None
    for nodes in SITES:
        scenario = site(nodes, JOBS)
        began_s = time.process_time()
        twin = Twin(scenario)
        ready_s = time.process_time()
        twin.play()
        cpu_s = time.process_time() - ready_s
        event_us = cpu_s / twin.tally.cycles * 1e6
        first_us = first_us or event_us
        yield Figure(
            what=f"{nodes * SITE_GPUS:,} GPUs with failures: jobs a second of CPU",
            value=twin.report().jobs_completed / cpu_s,
            unit="/s",
            goal=3_300,
            at_least=True,
            note=f"{twin.tally.cycles:,} cycles for {JOBS:,} jobs; the site itself took {ready_s - began_s:.0f} s",
        )
        yield Figure(
            what="  CPU time of a cycle, against that on the smallest site",
            value=event_us / first_us,
            unit="x",
            goal=3,
            note=f"{event_us:,.0f} µs",
        )


def site(nodes: int, jobs: int) -> Scenario:
    """The smaller the site, the longer it takes for as many jobs to come: it is always about as full."""
    group = NodeGroup(
        nodes=nodes,
        cores=144,
        gpus=SITE_GPUS,
        memory_bytes=960 << 30,
        nodes_per_rack=18,
        nodes_per_leaf=288,
        nodes_per_spine=2_304,
        nodes_per_hall=18_432,
    )
    reports = build_site(group)
    sizes = [Size(weight=weight, shape=_shape(count)) for count, weight in GANGS.items()]
    gap_ms = MEAN_NODE_MS / (FULL * nodes)
    works = synthetic_works(
        Synthetic(
            jobs=jobs,
            gap_ms=max(round(gap_ms), 1),
            run_median_ms=3_600_000,
            run_p90_ms=6 * 3_600_000,
            limit_factor=3.0,
            projects=100,
            sizes=tuple(sizes),
        ),
        seed=1,
    )
    rate = FailureRate(
        mean_between_ms=530 * 86_400_000, repair=Repair(median_ms=14_400_000, p90_ms=86_400_000)
    )
    return Scenario(
        nodes=reports,
        workload=tuple(works),
        timing=Timing(startup_ms=60_000, restart_ms=120_000),
        failures=Failures(reports, rate, domains=[], lemons=Lemons(), seed=1),
        check=False,
    )


def _shape(nodes: int) -> Shape:
    amounts = Resources(milli_gpu=1000 * SITE_GPUS, milli_cpu=128_000, memory_bytes=800 << 30)
    return Shape(nodes_min=nodes, nodes_max=nodes, per_node=amounts)


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
