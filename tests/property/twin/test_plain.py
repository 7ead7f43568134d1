"""Random workloads: the twin starts every job when a plain replay of the policy does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.model.gang import Shape
from gigawatt.model.resources import Resources
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.run import Scenario, Twin
from gigawatt.twin.site import NodeGroup, build_site
from gigawatt.twin.work import START_MS, Work
from tests.property.twin.plain import RULES, PlainJob, plain_starts

NODES, CORES, MEMORY = 3, 4, 8

jobs_of = st.lists(
    st.builds(
        PlainJob,
        at=st.integers(0, 60),
        run=st.integers(1, 30),
        places=st.sampled_from([1, 1, 2, 3, 4, 6, 9]),
        limit=st.integers(1, 60),
        memory=st.sampled_from([0, 1, 2, 3, 4]),
    ),
    min_size=1,
    max_size=14,
)


@pytest.mark.parametrize("policy", RULES)
@given(jobs=jobs_of)
@settings(max_examples=60)
def test_the_twin_starts_every_job_when_the_plain_replay_does(
    policy: str, jobs: list[PlainJob]
) -> None:
    jobs = sorted((job for job in jobs if possible(job)), key=lambda job: job.at)
    if jobs:
        expected = plain_starts(jobs, NODES, CORES, MEMORY, policy)
        assert twin_starts(jobs, policy) == expected


def possible(job: PlainJob) -> bool:
    places = min(CORES, MEMORY // job.memory) if job.memory else CORES
    return job.places <= NODES * places


def twin_starts(jobs: list[PlainJob], policy: str) -> list[int]:
    scenario = Scenario(
        nodes=build_site(NodeGroup(nodes=NODES, cores=CORES, memory_bytes=MEMORY)),
        workload=[
            Work(
                at_ms=job.at * 1000,
                run_ms=job.run * 1000,
                limit_ms=job.limit * 1000,
                shape=Shape(
                    nodes_min=job.places,
                    nodes_max=job.places,
                    stacked=job.places > 1,
                    per_node=Resources(milli_cpu=1000, memory_bytes=job.memory),
                ),
            )
            for job in jobs
        ],
        policy=POLICIES[policy],
    )
    twin = Twin(scenario)
    seen: dict[str, int] = {}
    going = True
    while going:
        going = twin.step()
        for job in twin.state.world.jobs.values():
            if job.attempts:
                seen[job.id] = (job.attempts[0].placed_ms - START_MS) // 1000
    return [seen[f"job-{number:09d}"] for number in range(1, len(jobs) + 1)]
