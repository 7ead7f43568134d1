"""Ports: allocated for an attempt's life, never the same for two gangs of a machine."""

import asyncio
import socket
from pathlib import Path

import pytest

from gigawatt.engine.local import LocalEngine, shut_down_supervisors
from gigawatt.engine.supervisor.ports import port_range, runtime_dir
from gigawatt.model.endpoint import Readiness
from gigawatt.model.gang import GangKind
from gigawatt.model.observation import AttemptGone, LaunchAccepted, RankStarted
from tests.contract.engine.leading import leading, some_nodes

pytestmark = pytest.mark.slow

GANGS = 10


def test_two_instances_on_one_machine_never_share_a_port(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "data"
    other.parent.mkdir()

    async def story() -> None:
        async with leading(data, nodes=2) as one, leading(other, nodes=2) as two:
            keys = await asyncio.gather(
                *(
                    bench.launch(
                        bench.build(
                            "sleep",
                            "300",
                            nodes=(bench.nodes[index % 2],),
                            kind=GangKind.REPLICA,
                            readiness=Readiness(),
                        )
                    )
                    for index in range(GANGS)
                    for bench in (one, two)
                )
            )
            accepted = [
                await bench.wait(LaunchAccepted, key=key)
                for key, bench in zip(keys, [one, two] * GANGS, strict=True)
            ]
            ports = [port for each in accepted for port in (each.master_port, each.port)]
            assert 0 not in ports
            assert len(set(ports)) == 4 * GANGS

    asyncio.run(story())
    assert asyncio.run(shut_down_supervisors(other, grace_s=0)) == []


def test_ports_are_below_those_that_the_kernel_gives_out(data: Path) -> None:
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    low = int(ephemeral.split()[0])

    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            accepted = await bench.wait(LaunchAccepted, key=key)
            assert accepted.master_port in port_range(ephemeral)
            assert low < 2048 or accepted.master_port < low

    asyncio.run(story())


def test_a_port_that_somebody_listens_on_is_passed_over(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.run("true")
            port = (await bench.wait(LaunchAccepted, key=key)).master_port
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", port + 1))
                taken.listen()
                key = await bench.launch(bench.build("sleep", "300"))
                assert (await bench.wait(LaunchAccepted, key=key)).master_port == port + 2

    asyncio.run(story())


def test_a_replica_knows_its_port(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.run(
                "sh",
                "-c",
                "echo $PORT $GIGAWATT_PORT",
                kind=GangKind.REPLICA,
                readiness=Readiness(),
            )
            port = (await bench.wait(LaunchAccepted, key=key)).port
            assert await bench.output(key) == f"{port} {port}\n"

    asyncio.run(story())


def test_locks_are_let_go_with_the_attempt(data: Path) -> None:
    async def story() -> None:
        async with leading(data, lambda: LocalEngine(data, nodes=some_nodes(1))) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            await bench.wait(RankStarted, key=key)
            port = (await bench.wait(LaunchAccepted, key=key)).master_port
            assert _is_locked(port)
            await bench.engine.stop(key, grace_s=1, epoch=bench.epoch)
            await bench.wait(AttemptGone, key=key)
            assert not _is_locked(port)

    asyncio.run(story())


def _is_locked(port: int) -> bool:
    import fcntl

    with (runtime_dir() / "ports" / str(port)).open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
