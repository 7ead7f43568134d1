"""A supervisor that is killed: what ran is ended and told as lost, what had ended is told as it was."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from gigawatt.model.observation import AttemptGone, NodeLost, NodeSeen, RankExited, RankStarted
from tests.contract.engine.leading import engine_of, is_alive, kill_supervisor, leading, seen

pytestmark = pytest.mark.slow


def test_its_end_is_noticed_within_two_seconds_and_it_is_started_again(data: Path) -> None:
    async def story() -> None:
        async with leading(data, nodes=2) as bench:
            before = engine_of(bench).supervisor_pid("node-0")
            begun_s = time.monotonic()
            kill_supervisor(bench)
            lost = await bench.wait(NodeLost)
            assert time.monotonic() - begun_s < 2
            assert lost.node == "node-0"
            back = await bench.wait(NodeSeen, count=3)
            assert back.report.id == "node-0"
            assert engine_of(bench).supervisor_pid("node-0") != before
            assert {report.id for report in await bench.engine.nodes()} == {"node-0", "node-1"}

    asyncio.run(story())


def test_its_ranks_die_with_it_and_are_told_as_lost(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            started = await bench.wait(RankStarted, key=key)
            kill_supervisor(bench)
            await seen(lambda: not is_alive(started.pid), "the rank died with its supervisor")
            exited = await bench.wait(RankExited, key=key)
            assert (exited.lost, exited.exit_code, exited.signal) == (True, None, None)
            await bench.wait(AttemptGone, key=key)

    asyncio.run(story())


def test_daemons_that_its_ranks_left_are_ended_before_the_node_is_back(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            pidfile = bench.shared_directory() / "pid"
            daemon = (
                f"setsid sh -c 'echo $$ > {pidfile}.new; mv {pidfile}.new {pidfile}; sleep 300' &"
            )
            key = await bench.launch(bench.build("sh", "-c", f"({daemon}); sleep 300"))
            pid = int(
                await seen(lambda: pidfile.exists() and (pidfile.read_text() or None), "its daemon")
            )
            kill_supervisor(bench)
            await bench.wait(NodeSeen, count=2)
            assert not is_alive(pid)
            await bench.wait(AttemptGone, key=key)

    asyncio.run(story())


def test_a_rank_that_had_succeeded_before_is_told_as_it_was(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            script = "test $RANK = 0 && exit 0; sleep 300"
            key = await bench.launch(bench.build("sh", "-c", script, ranks_per_node=2))
            first = await bench.wait(RankExited, key=key)
            assert (first.rank, first.exit_code) == (0, 0)
            kill_supervisor(bench)
            await bench.wait(AttemptGone, key=key)
            exits = bench.told(RankExited, key)
            assert [(seen.rank, seen.exit_code, seen.lost) for seen in exits] == [
                (0, 0, False),
                (1, None, True),
            ]

    asyncio.run(story())


def test_a_control_plane_that_comes_later_is_told_the_same(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            started = await bench.wait(RankStarted, key=key)
            supervisor = engine_of(bench).supervisor_pid("node-0")
            await bench.engine.close()
            kill_supervisor(bench)
            await seen(lambda: not is_alive(supervisor), "its end")
            inventory = await bench.restart()
            assert inventory.attempts == (key,)
            assert [seen.pid for seen in bench.told(RankStarted, key)] == [started.pid]
            assert [seen.lost for seen in bench.told(RankExited, key)] == [True]
            assert len(bench.told(AttemptGone, key)) == 1

    asyncio.run(story())


def test_the_node_takes_launches_again(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            kill_supervisor(bench)
            await bench.wait(NodeSeen, count=2)
            key = await bench.run("sh", "-c", "echo again")
            assert await bench.output(key) == "again\n"

    asyncio.run(story())


def test_a_hung_supervisor_is_lost_in_the_time_that_the_engine_states(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            pid = engine_of(bench).supervisor_pid("node-0")
            os.kill(pid, signal.SIGSTOP)
            try:
                within_s = bench.engine.capabilities().node_lost_after_s
                await bench.wait(NodeLost, within_s=within_s + 1)
            finally:
                os.kill(pid, signal.SIGCONT)
            await bench.wait(NodeSeen, count=2)

    asyncio.run(story())
