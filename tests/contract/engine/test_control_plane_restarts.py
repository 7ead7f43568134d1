"""Control planes that come and go while gangs run."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from gigawatt.engine.base import StaleEpochError
from gigawatt.engine.conformance.bench import Bench
from gigawatt.engine.local import LocalEngine
from gigawatt.engine.local.datasets import Datasets
from gigawatt.engine.local.files import nodes_dir, socket_of
from gigawatt.engine.local.link import Link
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import (
    AttemptGone,
    LaunchAccepted,
    LaunchFailed,
    NodeSeen,
    RankExited,
    RankStarted,
)
from tests.contract.engine.leading import (
    attempt_dir,
    engine_of,
    is_alive,
    leading,
    seen,
    some_nodes,
)
from tests.waiting import until

pytestmark = pytest.mark.slow


def test_gangs_are_adopted_with_the_same_pids_and_supervisors(data: Path) -> None:
    async def story() -> None:
        async with leading(data, nodes=2) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("node-0", "node-1")))
            await bench.wait(RankStarted, key=key, count=2)
            pids = sorted(seen.pid for seen in bench.told(RankStarted, key))
            ports = [seen.master_port for seen in bench.told(LaunchAccepted, key)]
            supervisors = [engine_of(bench).supervisor_pid(node) for node in bench.nodes]
            for _ in range(3):
                inventory = await bench.restart()
                assert inventory.attempts == (key,)
                assert sorted(seen.pid for seen in bench.told(RankStarted, key)) == pids
                assert [seen.master_port for seen in bench.told(LaunchAccepted, key)] == ports
            assert [engine_of(bench).supervisor_pid(node) for node in bench.nodes] == supervisors
            assert all(is_alive(pid) for pid in pids)

    asyncio.run(story())


def test_an_end_right_after_a_node_told_what_it_has_is_told(data: Path) -> None:
    """It reaches the next control plane before that has read what the node had."""
    go_on = data.parent / "go-on"

    class Late(Datasets):
        def kept(self, node: str) -> tuple[str, ...]:
            (journal,) = data.glob("nodes/node-0/attempts/*/journal")
            go_on.touch()
            until(lambda: '"gone"' in journal.read_text(), what="an end on record")
            return super().kept(node)

    engines = iter([None, Late(data)])

    def make() -> LocalEngine:
        return LocalEngine(data, nodes=some_nodes(1), datasets=next(engines))

    async def story() -> None:
        async with leading(data, make) as bench:
            key = await bench.launch(bench.build("sh", "-c", f"until [ -e {go_on} ]; do :; done"))
            await bench.wait(RankStarted, key=key)
            await bench.restart()
            await bench.wait(RankExited, key=key)
            await bench.wait(AttemptGone, key=key)
            assert len(bench.told(RankExited, key)) == 1

    asyncio.run(story())


def test_a_deposed_control_plane_learns_it_and_stops_nothing(data: Path) -> None:
    async def story() -> None:
        old = LocalEngine(data, nodes=some_nodes(1))
        await old.open(epoch=1)
        await old.adopt()
        async with leading(data, epoch=2) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            started = await bench.wait(RankStarted, key=key)
            await seen_to_lose(old)
            with pytest.raises(StaleEpochError):
                await LocalEngine(data, nodes=some_nodes(1)).open(epoch=1)
            assert is_alive(started.pid)
        await old.close()

    async def seen_to_lose(engine: LocalEngine) -> None:
        nodes = engine.observe()
        assert type(await anext(nodes)).__name__ == "NodeLost"

    asyncio.run(story())


def test_a_launch_cut_short_is_made_whole_by_launching_again(data: Path) -> None:
    """The control plane ended when one node had started and the other had not."""

    async def story() -> None:
        async with leading(data, nodes=2) as bench:
            launch = bench.build("sleep", "300", nodes=("node-0", "node-1"))
            key = await bench.launch(launch)
            await bench.wait(RankStarted, key=key, count=2)
            pids = {seen.rank: seen.pid for seen in bench.told(RankStarted, key)}
            await _cut_short(bench, data, "node-1", key)
            inventory = await bench.restart()
            assert inventory.attempts == ()
            assert bench.told(RankStarted, key) == []
            await bench.launch(launch)
            await bench.wait(RankStarted, key=key, count=2)
            after = {seen.rank: seen.pid for seen in bench.told(RankStarted, key)}
            assert after[0] == pids[0]
            assert after[1] != pids[1]

    asyncio.run(story())


def test_what_started_of_a_launch_cut_short_can_be_stopped(data: Path) -> None:
    async def story() -> None:
        async with leading(data, nodes=2) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("node-0", "node-1")))
            await bench.wait(RankStarted, key=key, count=2)
            await _cut_short(bench, data, "node-1", key)
            await bench.restart()
            await bench.engine.stop(key, grace_s=1, epoch=bench.epoch)
            await bench.wait(AttemptGone, key=key)

    asyncio.run(story())


def test_a_launch_cut_short_whose_start_has_ended_fails(data: Path) -> None:
    async def story() -> None:
        async with leading(data, nodes=2) as bench:
            key = await bench.launch(bench.build("sh", "-c", "true", nodes=("node-0", "node-1")))
            await bench.wait(AttemptGone, key=key)
            await _cut_short(bench, data, "node-1", key)
            inventory = await bench.restart()
            assert inventory.attempts == (key,)
            failed = await bench.wait(LaunchFailed, key=key)
            assert not failed.user

    asyncio.run(story())


def test_what_a_node_that_does_not_answer_may_still_run_is_not_forgotten(data: Path) -> None:
    async def story() -> None:
        async with leading(data, nodes=2) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("node-0",)))
            await bench.wait(RankStarted, key=key)
            supervisor = engine_of(bench).supervisor_pid("node-0")
            os.kill(supervisor, signal.SIGSTOP)
            try:
                inventory = await bench.restart()
                assert [report.id for report in inventory.nodes] == ["node-1"]
                assert inventory.attempts == (key,)
                await bench.engine.stop(key, grace_s=1, epoch=bench.epoch)
                assert bench.told(AttemptGone, key) == []
            finally:
                os.kill(supervisor, signal.SIGCONT)
            await bench.wait(AttemptGone, key=key)
            assert [seen.asked for seen in bench.told(RankExited, key)] == [True]

    asyncio.run(story())


def test_nodes_that_are_no_more_are_ended_with_their_gangs(data: Path) -> None:
    async def story() -> None:
        counts = iter((3, 1, 1))
        async with leading(
            data, lambda: LocalEngine(data, nodes=some_nodes(next(counts)))
        ) as bench:
            key = await bench.launch(bench.build("sleep", "300", nodes=("node-0", "node-2")))
            await bench.wait(RankStarted, key=key, count=2)
            pids = {seen.rank: seen.pid for seen in bench.told(RankStarted, key)}
            await bench.restart()
            assert [report.id for report in await bench.engine.nodes()] == ["node-0"]
            assert not is_alive(pids[1])
            assert is_alive(pids[0])

    asyncio.run(story())


def test_closing_leaves_everything_and_shutting_down_nothing(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            started = await bench.wait(RankStarted, key=key)
            supervisor = engine_of(bench).supervisor_pid("node-0")
            await bench.engine.close()
            assert is_alive(started.pid)
            await bench.restart()
            await engine_of(bench).shutdown(grace_s=5)
            assert not is_alive(started.pid)
            await seen(lambda: not is_alive(supervisor), "the supervisor's end")
            await bench.restart()
            exited = await bench.wait(RankExited, key=key)
            assert (exited.signal, exited.asked, exited.lost) == (15, True, False)

    asyncio.run(story())


def test_two_nodes_are_up_in_under_a_second(data: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(1), leading(data, nodes=2) as bench:
            assert len([each for each in bench.seen if isinstance(each, NodeSeen)]) == 2

    asyncio.run(story())


async def _cut_short(bench: Bench, data: Path, node: str, key: AttemptKey) -> None:
    """Bring about what a control plane leaves that ends between two nodes: this one never started the attempt."""
    await bench.engine.close()
    link = Link(_ignore, _ignore)
    await link.connect(socket_of(nodes_dir(data) / node))
    await link.ask("release", key=str(key), epoch=bench.epoch)
    live = nodes_dir(data) / node / "live" / str(key)
    await seen(lambda: not live.exists(), "the release")
    await link.close()
    attempt_dir(data, key, node).rename(data / "never-started")


def _ignore(_: object) -> None:
    """Nobody is told."""
