"""The Ray engine on a real cluster of several nodes of this machine: the conformance suite, then faults."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.engine.conformance import CASES, Faults, Report, run
from gigawatt.engine.conformance.bench import Bench
from gigawatt.engine.conformance.harm import kill_supervisor
from gigawatt.engine.ray import RayEngine
from gigawatt.engine.supervisor.door import read_door
from gigawatt.model.observation import (
    AttemptGone,
    LaunchFailed,
    NodeLost,
    NodeSeen,
    RankExited,
    RankStarted,
)
from tests.contract.engine.matrix import as_documented
from tests.contract.engine.ray_bench import EPOCHS, NODES_S, engine_of_cluster, leading, meet
from tests.ray_cluster import RayCluster, running_ray
from tests.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ray() -> Iterator[RayCluster]:
    with running_ray("n1", "n2") as cluster:
        yield cluster


def test_an_instance_runs_jobs_on_the_cluster_until_it_is_stopped(ray: RayCluster) -> None:
    """Comes first: its epochs are low."""
    place = ["--data", str(ray.data)]
    ray.gw(
        "up",
        "--engine",
        "ray",
        "--host",
        ray.address,
        "--insecure-no-tls",
        "--port=0",
        "--gateway-port=0",
        *place,
        "--detach",
    )
    until(lambda: ray.gw("nodes").count("ready") == 2, timeout_s=NODES_S, what="two nodes")
    ray.gw(
        "run",
        "--name",
        "hello",
        "--nodes",
        "2",
        "--wait",
        "--",
        "sh",
        "-c",
        "echo on $GIGAWATT_NODE",
    )
    told = ray.gw("logs", "hello", "--rank", "all")
    assert "on n1" in told
    assert "on n2" in told
    supervisors = _supervisors(ray)
    assert len(supervisors) == 2
    ray.gw("down")
    until(lambda: not any(map(_lives, supervisors)), what="supervisors to end")
    assert not _supervisors(ray)


@pytest.fixture(scope="module")
def report(ray: RayCluster) -> Report:
    """One run of the whole suite."""
    asyncio.run(meet(ray))
    suite = run(
        lambda: engine_of_cluster(ray),
        faults=_faults(ray),
        first_epoch=next(EPOCHS),
        scratch=ray.data,
    )
    return asyncio.run(suite)


def _faults(ray: RayCluster) -> Faults:
    """A supervisor that is killed is a lost node: it comes back by itself. What goes silent is Ray."""

    async def silence(_bench: Bench, _node: str) -> None:
        ray.pause_head()

    async def speak(_bench: Bench, _node: str) -> None:
        ray.pause_head(resume=True)

    return Faults(
        lose_node=kill_supervisor, kill_supervisor=kill_supervisor, silence=silence, speak=speak
    )


@pytest.mark.parametrize("name", list(CASES))
def test_the_ray_engine_conforms(report: Report, name: str) -> None:
    case = next(case for case in report.cases if case.name == name)
    found, wanted = as_documented(case, "ray")
    assert found == wanted


def test_nodes_are_told_as_they_joined(ray: RayCluster) -> None:
    async def told() -> None:
        async with leading(ray) as bench:
            for report in await bench.engine.nodes():
                assert report.topology == ("ray", "", "", "", f"r-{report.id}", "", report.id)
                assert report.address == ray.nodes[report.id]
                assert report.total.milli_cpu == 2000
                assert report.labels == (("zone", "z1"),)

    asyncio.run(told())


def test_ranks_meet_at_the_address_of_the_first(ray: RayCluster) -> None:
    program = (
        "import os, socket\n"
        "at = os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT'])\n"
        "if os.environ['RANK'] == '0':\n"
        "    print(socket.create_server(at).accept()[1][0])\n"
        "else:\n"
        "    import time\n"
        "    until = time.monotonic() + 20\n"
        "    while time.monotonic() < until:\n"
        "        try:\n"
        "            socket.create_connection(at, timeout=1); break\n"
        "        except OSError: time.sleep(0.05)\n"
    )

    async def story() -> str:
        async with leading(ray) as bench:
            key = await bench.run("python3", "-c", program, nodes=("n1", "n2"))
            return await bench.output(key)

    assert asyncio.run(story()).strip() == ray.nodes["n2"]


def test_nothing_of_ray_or_of_the_instance_gets_into_a_rank(ray: RayCluster) -> None:
    async def story() -> str:
        async with leading(ray) as bench:
            return await bench.output(await bench.run("env"))

    names = {line.partition("=")[0] for line in asyncio.run(story()).splitlines()}
    assert not [name for name in names if name.startswith("RAY_")]
    assert "GIGAWATT_NODE_DIR" not in names


def test_a_node_that_is_cut_off_is_lost_in_seconds_and_its_ranks_are_found_again(
    ray: RayCluster,
) -> None:
    async def story() -> float:
        async with leading(ray) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("n2",)))
            before = await bench.wait(RankStarted, key=key)
            begun_s, seen = time.monotonic(), len(bench.seen)
            ray.cut("n2")
            lost = await bench.wait(NodeLost, since=seen)
            took_s = time.monotonic() - begun_s
            assert lost.node == "n2"
            ray.cut("n2", restore=True)
            await bench.wait(NodeSeen, since=seen)
            assert [each.pid for each in bench.told(RankStarted, key)] == [before.pid]
            await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
            exited = await bench.wait(RankExited, key=key)
            assert exited.asked and not exited.lost
            return took_s

    assert asyncio.run(story()) < 5


def test_what_is_stopped_on_a_node_that_is_cut_off_is_gone_and_ends_when_it_is_back(
    ray: RayCluster,
) -> None:
    async def story() -> None:
        async with leading(ray) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("n1", "n2")))
            await bench.wait(RankStarted, key=key, count=2)
            pids = {each.rank: each.pid for each in bench.told(RankStarted, key)}
            seen = len(bench.seen)
            ray.cut("n2")
            await bench.wait(NodeLost, since=seen)
            await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
            await bench.wait(AttemptGone, key=key, within_s=2)
            assert [_lives(pids[0]), _lives(pids[1])] == [False, True]
            await bench.engine.release(key, epoch=bench.epoch)
            refused = await bench.launch(bench.build("true", nodes=("n1", "n2")))
            assert (await bench.wait(LaunchFailed, key=refused, within_s=2)).node == "n2"
            ray.cut("n2", restore=True)
            await bench.wait(NodeSeen, since=seen)
            await asyncio.to_thread(until, lambda: not _lives(pids[1]), what="the rank to end")

    asyncio.run(story())


def test_a_raylet_that_is_killed_takes_no_rank_along(ray: RayCluster) -> None:
    async def story() -> None:
        async with leading(ray) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("n1",)))
            await bench.wait(RankStarted, key=key)
            seen, supervisor = len(bench.seen), _engine_of(bench).supervisor_pid("n1")
            number = _ray_number(bench, "n1")
            ray.kill_raylet("n1")
            await asyncio.to_thread(
                until, lambda: _ray_number(bench, "n1") != number, timeout_s=NODES_S
            )
            assert _engine_of(bench).supervisor_pid("n1") == supervisor
            assert not [each for each in bench.seen[seen:] if isinstance(each, NodeLost)]
            assert not bench.told(RankExited, key)
            os.kill(supervisor, signal.SIGKILL)  # the steward of the new raylet keeps it now
            await bench.wait(NodeLost, since=seen)
            await bench.wait(NodeSeen, since=seen, within_s=NODES_S)
            assert (await bench.wait(RankExited, key=key)).lost

    asyncio.run(story())


def test_a_lost_head_loses_nothing_and_the_next_control_plane_adopts_without_it(
    ray: RayCluster,
) -> None:
    async def story() -> None:
        async with leading(ray) as bench:
            launch = bench.build("sleep", "300", nodes=("n1", "n2"))
            key = await bench.launch(launch)
            await bench.wait(RankStarted, key=key, count=2)
            pids = {each.pid for each in bench.told(RankStarted, key)}
            numbers = {node: _ray_number(bench, node) for node in ray.nodes}
            await asyncio.to_thread(ray.kill_head)
            inventory = await bench.restart()
            assert key in inventory.attempts
            assert {each.pid for each in bench.told(RankStarted, key)} == pids
            more = await bench.run("true", nodes=("n2",))
            assert bench.told(RankExited, more)[0].exit_code == 0
            await asyncio.to_thread(ray.start_head)
            for node, number in numbers.items():
                await asyncio.to_thread(
                    until,
                    lambda node=node, number=number: _ray_number(bench, node) != number,
                    timeout_s=2 * NODES_S,
                    what=f"{node} to be back with Ray",
                )
            assert not [each for each in bench.seen if isinstance(each, NodeLost)]
            assert not bench.told(RankExited, key)
            await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
            await bench.wait(AttemptGone, key=key)

    asyncio.run(story())


def test_what_cannot_be_reached_at_a_restart_is_presumed_to_run(ray: RayCluster) -> None:
    async def story() -> None:
        async with leading(ray) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("n2",)))
            await bench.wait(RankStarted, key=key)
            ray.cut("n2")
            inventory = await bench.restart()
            assert key in inventory.attempts
            assert "n2" not in bench.nodes
            ray.cut("n2", restore=True)
            await bench.wait(RankStarted, key=key)
            await bench.engine.stop(key, grace_s=0, epoch=bench.epoch)
            await bench.wait(AttemptGone, key=key)

    asyncio.run(story())


def test_a_node_that_goes_with_all_it_runs_is_lost_and_held_up_for_by_nobody(
    ray: RayCluster,
) -> None:
    """Comes last: it does not come back."""

    async def story() -> None:
        async with leading(ray) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("n1", "n2")))
            await bench.wait(RankStarted, key=key, count=2)
            seen = len(bench.seen)
            await asyncio.to_thread(ray.kill_node, "n2")
            assert (await bench.wait(NodeLost, since=seen, within_s=5)).node == "n2"
            await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
            await bench.wait(AttemptGone, key=key, within_s=5)
            await bench.restart()
            await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
            await bench.wait(AttemptGone, key=key, within_s=10)

    asyncio.run(story())


def _engine_of(bench: Bench) -> RayEngine:
    assert isinstance(bench.engine, RayEngine)
    return bench.engine


def _supervisors(ray: RayCluster) -> list[int]:
    """Pids of those that nobody has told to end."""
    doors = (read_door(path.parent) for path in ray.base.glob("nodes/*/*/door"))
    return [door.pid for door in doors if door is not None]


def _lives(pid: int) -> bool:
    """Namespaces of networks see the same processes."""
    return Path(f"/proc/{pid}").exists()


def _ray_number(bench: Bench, node: str) -> str:
    return _engine_of(bench)._fleet.facts(node).ray
