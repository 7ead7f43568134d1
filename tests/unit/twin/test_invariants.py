"""Each invariant holds of a real run, and finds the fault that it is for."""

from dataclasses import replace

import pytest

from gigawatt.control.cycle import Outcome, State
from gigawatt.model.change import Batch, Entity
from gigawatt.model.decision import Decision
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job
from gigawatt.model.ledger import NodeAccount, TimeClass
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.tenant import Project
from gigawatt.twin.invariants import BrokenError, Invariants
from gigawatt.twin.run import Scenario, Twin
from gigawatt.twin.serving import Load, Points
from gigawatt.twin.work import Work
from tests.unit.twin.sites import core_site, gpu_site, gpu_work

DECIDED = Decision(starts=(), waits=(), steps=0)


def running(*works: Work, gpus: int = 8) -> State:
    """A site of one node on which the first of `works` runs."""
    nodes = gpu_site(1, gpus) if gpus else core_site(1)
    twin = Twin(Scenario(nodes=nodes, workload=works, check=False))
    twin.step()
    return twin.state


def check(state: State, *more: Job | NodeAccount | Replica | Project) -> None:
    """The whole world as if one event had made it, with `more` in place of what it has under these ids."""
    world = state.world
    accounts, jobs, projects = dict(world.accounts), dict(world.jobs), dict(world.projects)
    replicas = dict(world.replicas)
    for each in more:
        match each:
            case Job():
                jobs[each.id] = each
            case Replica():
                replicas[each.id] = each
            case Project():
                projects[each.id] = each
            case NodeAccount():
                accounts[each.id] = each
    puts: list[Entity] = [*projects.values(), *world.nodes.values(), *accounts.values()]
    puts += [*jobs.values(), *replicas.values()]
    outcome = Outcome(batch=Batch(puts=puts), actions=[], replies={}, decision=DECIDED)
    Invariants().check(state, outcome, now_ms=7)


def the_job(state: State) -> Job:
    return state.world.jobs["job-000000001"]


def second(state: State) -> Job:
    """Another job with the attempt of the first."""
    return replace(the_job(state), id="job-000000002")


def test_a_world_as_the_cycle_leaves_it_is_whole() -> None:
    check(running(gpu_work(0, 10), gpu_work(0, 10)))


def test_a_device_given_twice_is_found() -> None:
    state = running(gpu_work(0, 10, gpus=2))
    with pytest.raises(BrokenError, match=r"at 7 ms .* 2000 milli-GPUs of device node-0-gpu-0"):
        check(state, second(state))


def test_cores_given_twice_are_found() -> None:
    state = running(gpu_work(0, 10, gpus=0), gpus=0)
    job = the_job(state)
    shape = replace(job.spec.shape, per_node=replace(job.spec.shape.per_node, milli_cpu=5_000))
    wide = replace(job, spec=replace(job.spec, shape=shape))
    with pytest.raises(BrokenError, match=r"node-0 has .*milli_cpu=8000.* and has given .*10000"):
        check(state, wide, replace(wide, id="job-000000002"))


def test_a_gang_on_too_few_nodes_is_found() -> None:
    state = running(gpu_work(0, 10))
    job = the_job(state)
    shape = replace(job.spec.shape, nodes_min=2, nodes_max=2)
    with pytest.raises(BrokenError, match="asks for 2 to 2"):
        check(state, replace(job, spec=replace(job.spec, shape=shape)))


def test_a_gang_without_all_of_its_ranks_is_found() -> None:
    state = running(gpu_work(0, 10))
    job = the_job(state)
    assert job.attempt is not None
    with pytest.raises(BrokenError, match="0 ranks on 1 nodes"):
        check(state, job.with_attempt(replace(job.attempt, ranks=())))


def test_a_gang_on_a_node_that_is_not_there_is_found() -> None:
    state = running(gpu_work(0, 10))
    job = the_job(state)
    assert job.attempt is not None
    with pytest.raises(BrokenError, match=r"is on \['node-9'\], which the site does not have"):
        check(state, job.with_attempt(replace(job.attempt, nodes=("node-9",))))


def test_a_gang_that_waits_without_a_reason_is_found() -> None:
    state = running(gpu_work(0, 10), gpu_work(0, 10))
    state.waits = {}
    with pytest.raises(BrokenError, match="job-000000002 waits without a reason"):
        check(state)


def test_an_account_that_forgets_a_gang_is_found() -> None:
    state = running(gpu_work(0, 10))
    with pytest.raises(BrokenError, match=r"its account says \{\}"):
        check(state, replace(state.world.accounts["node-0"], uses=()))


def test_busy_and_idle_that_do_not_sum_to_what_is_installed_are_found() -> None:
    state = running(gpu_work(0, 10, gpus=2))
    account = state.world.accounts["node-0"]
    with pytest.raises(BrokenError, match="2000 busy and 5000 at rest are not the 8000 installed"):
        check(state, replace(account, installed=7000))


def test_a_node_that_is_up_and_counted_as_away_is_found() -> None:
    state = running(gpu_work(0, 10))
    with pytest.raises(BrokenError, match="what rests there is down"):
        check(state, replace(state.world.accounts["node-0"], rest_class=TimeClass.DOWN))


@pytest.mark.parametrize(
    "terms",
    [
        Entitlement(limit=Bounds(milli_gpu=1000)),
        Entitlement(quota=Bounds(milli_gpu=1000), borrows=False),
    ],
)
def test_a_project_beyond_what_it_may_use_is_found(terms: Entitlement) -> None:
    state = running(gpu_work(0, 10, gpus=2))
    project = next(iter(state.world.projects.values()))
    with pytest.raises(BrokenError, match="may use 1000 milli_gpu and uses 2000"):
        check(state, replace(project, entitlement=terms))


def test_a_project_of_one_that_is_beyond_its_limit_is_found() -> None:
    state = running(gpu_work(0, 10, gpus=2))
    project = next(iter(state.world.projects.values()))
    above = replace(
        project,
        id=f"{project.tenant}/above",
        name="above",
        entitlement=Entitlement(limit=Bounds(milli_gpu=1000)),
    )
    below = replace(project, entitlement=Entitlement(parent="above"))
    with pytest.raises(BrokenError, match="/above may use 1000 milli_gpu and uses 2000"):
        check(state, above, below)


SERVED = Load(
    name="chat",
    project="default",
    shape=gpu_work(0, 10).shape,
    curve=Points(times_ms=(0,), in_flight=(16.0,)),
    replicas_max=2,
)


def serving() -> State:
    """A site of one node, on which one of two replicas runs."""
    twin = Twin(Scenario(nodes=gpu_site(1), workload=(), loads=(SERVED,), check=False))
    twin.step()
    return twin.state


def test_a_world_that_serves_is_whole() -> None:
    check(serving())


def test_a_replica_that_waits_without_a_reason_is_found() -> None:
    state = serving()
    state.waits = {}
    with pytest.raises(BrokenError, match=r"chat-\S+ waits without a reason"):
        check(state)


def test_a_device_that_a_replica_has_too_is_found() -> None:
    state = serving()
    first = next(each for each in state.world.replicas.values() if each.attempt)
    with pytest.raises(BrokenError, match="2000 milli-GPUs of device node-0-gpu-0"):
        check(state, replace(first, id="another"))
