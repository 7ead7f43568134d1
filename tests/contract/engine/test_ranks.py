"""What a rank finds: its environment, its directory, its limits."""

import asyncio
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.build.bundles import unpack
from gigawatt.build.digest import digest_of
from gigawatt.engine.conformance.bench import Bench
from gigawatt.engine.local import LocalEngine
from gigawatt.model.launch import AttemptKey, Placement
from gigawatt.model.node import Gpu
from gigawatt.model.observation import AttemptGone, LaunchFailed, RankExited
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources
from tests.contract.engine.leading import MIB, a_node, attempt_dir, leading

pytestmark = pytest.mark.slow

GPUS = tuple(
    Gpu(uuid=f"GPU-{index}", index=index, kind="B200", memory_bytes=180 << 30) for index in range(4)
)

AB = (a_node("a"), a_node("b"))
API = "http://api:1"


async def _environ(bench: Bench, key: AttemptKey, rank: int = 0) -> dict[str, str]:
    output = await bench.output(key, rank)
    return dict(pair.split("=", 1) for pair in output.split("\0") if pair)


WANTED = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_RANK": "1",
    "NODE_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "OMP_NUM_THREADS": "2",
    "PYTHONUNBUFFERED": "1",
    "LR": "0.1",
    "GIGAWATT_API": "http://api:1",
    "GIGAWATT_ATTEMPT": "1",
    "GIGAWATT_MODEL_PATH": "/models/m",
    "GIGAWATT_NAME": "gpt",
    "GIGAWATT_NODE": "b",
    "GIGAWATT_PROJECT": "p1",
    "GIGAWATT_RANK": "3",
    "GIGAWATT_RESUME_STEP": "40",
    "GIGAWATT_TENANT": "t1",
}
FOUND_ELSEWHERE = {  # whose values depend on where the test runs
    "MASTER_PORT",
    "GIGAWATT_ATTEMPT_ID",
    "GIGAWATT_CHECKPOINT_DIR",
    "GIGAWATT_JOB",
    "GIGAWATT_REPORT_DIR",
    "GIGAWATT_TOKEN_FILE",
}


def test_the_variables_of_torchrun_and_of_gigawatt_are_set(data: Path) -> None:
    async def story() -> None:
        async with leading(data, lambda: LocalEngine(data, nodes=AB, api_url=API)) as bench:
            key = await bench.run(
                "env",
                "-0",
                nodes=("a", "b"),
                ranks_per_node=2,
                name="gpt",
                tenant="t1",
                project="p1",
                env=(("LR", "0.1"), ("RANK", "not the user's")),
                per_rank=Resources(milli_cpu=2500),
                checkpoint_dir=str(data / "checkpoints"),
                model_path="/models/m",
                resume_step=40,
                secrets=(("GIGAWATT_TOKEN", "s3cret"),),
            )
            first, last = await _environ(bench, key), await _environ(bench, key, rank=3)
            assert {name: last[name] for name in WANTED} == WANTED
            ours = {name for name in last if name.startswith("GIGAWATT_")}
            assert ours <= set(WANTED) | FOUND_ELSEWHERE
            directory = attempt_dir(data, key, "b")
            assert last["MASTER_PORT"] == first["MASTER_PORT"]
            assert last["GIGAWATT_ATTEMPT_ID"].endswith(f"/{key}")
            assert last["GIGAWATT_JOB"] == key.gang
            assert last["GIGAWATT_REPORT_DIR"] == str(directory / "report")
            assert last["GIGAWATT_TOKEN_FILE"].endswith(f"/{key}/GIGAWATT_TOKEN") or (
                last["GIGAWATT_TOKEN_FILE"] == str(directory / "secrets" / "GIGAWATT_TOKEN")
            )
            assert last["GIGAWATT_CHECKPOINT_DIR"] == str(data / "checkpoints")
            assert (data / "checkpoints").is_dir()
            assert "CUDA_VISIBLE_DEVICES" not in last

    asyncio.run(story())


def test_a_rank_sees_the_devices_it_was_given_and_no_others(data: Path) -> None:
    async def story() -> None:
        node = replace(a_node(), gpus=GPUS)
        async with leading(data, lambda: LocalEngine(data, nodes=(node,))) as bench:
            launch = bench.build("env", "-0", ranks_per_node=2)
            given = tuple(
                Placement(
                    rank=rank,
                    node="node-0",
                    local_rank=rank,
                    gpus=(f"GPU-{2 * rank}", f"GPU-{2 * rank + 1}"),
                )
                for rank in range(2)
            )
            key = await bench.launch(replace(launch, placements=given))
            await bench.wait(AttemptGone, key=key)
            seen = [(await _environ(bench, key, rank))["CUDA_VISIBLE_DEVICES"] for rank in (0, 1)]
            assert seen == ["GPU-0,GPU-1", "GPU-2,GPU-3"]
            none = await bench.run("env", "-0")
            assert (await _environ(bench, none))["CUDA_VISIBLE_DEVICES"] == ""

    asyncio.run(story())


def test_a_built_environment_comes_first_in_the_path(data: Path, tmp_path: Path) -> None:
    async def story() -> None:
        environment = tmp_path / "env-1"
        (environment / "bin").mkdir(parents=True)
        (environment / "bin" / "python").symlink_to(sys.executable)
        async with leading(data) as bench:
            key = await bench.run("env", "-0", environment=str(environment))
            seen = await _environ(bench, key)
            assert seen["VIRTUAL_ENV"] == str(environment)
            assert seen["PATH"].startswith(f"{environment}/bin:")
            assert seen["PYTHONPATH"] == str(data / "nodes" / "node-0" / "python")

    asyncio.run(story())


def test_an_installed_gigawatt_gives_the_client_to_ranks_too(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            script = (
                "import gigawatt as gw, gigawatt.model.ids as i; print(gw.__file__, i.__name__)"
            )
            key = await bench.run(sys.executable, "-c", script)
            path, name = (await bench.output(key)).split()
            assert path == str(data / "nodes/node-0/python/gigawatt/__init__.py")
            assert name == "gigawatt.model.ids"

    asyncio.run(story())


def test_without_a_bundle_a_rank_starts_in_an_empty_directory_of_its_attempt(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.run("sh", "-c", "pwd; ls -A | wc -l; echo x > left")
            where, count = (await bench.output(key)).split()
            assert where == str(attempt_dir(data, key) / "work")
            assert count == "0"

    asyncio.run(story())


def test_an_absolute_workdir_is_used_and_one_that_is_not_there_is_the_users_fault(
    data: Path, tmp_path: Path
) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.run("pwd", workdir=str(tmp_path))
            assert await bench.output(key) == f"{tmp_path}\n"
            for missing in (str(tmp_path / "none"), "relative"):
                key = await bench.launch(bench.build("pwd", workdir=missing))
                failed = await bench.wait(LaunchFailed, key=key)
                assert failed.user
                assert missing in failed.reason

    asyncio.run(story())


def _bundle(data: Path, tmp_path: Path) -> str:
    """A bundle of `sub/run.sh` and `keep` in the artifact store; its digest."""
    source = tmp_path / "code"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "run.sh").write_text("#!/bin/sh\npwd; cat ../keep; echo changed > ../keep\n")
    (source / "sub" / "run.sh").chmod(0o755)
    (source / "keep").write_text("kept\n")
    archive = tmp_path / "code.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("sub", "keep"):
            tar.add(source / name, name)
    digest = digest_of(archive)
    name = digest.removeprefix("sha256:")
    stored = data / "artifacts" / "sha256" / name[:2] / name
    stored.parent.mkdir(parents=True)
    archive.rename(stored)
    return digest


def test_every_attempt_gets_its_own_copy_of_the_bundle(data: Path, tmp_path: Path) -> None:
    async def story() -> None:
        digest = _bundle(data, tmp_path)
        async with leading(data, lambda: LocalEngine(data, nodes=1, unpack=unpack)) as bench:
            await bench.engine.prepare("node-0", (digest,))
            for _ in range(2):
                key = await bench.run("./run.sh", bundle=digest, workdir="sub")
                work = attempt_dir(data, key) / "work"
                assert await bench.output(key) == f"{work}/sub\nkept\n"
                assert (work / "keep").read_text() == "changed\n"
                await bench.engine.release(key, epoch=bench.epoch)

    asyncio.run(story())


def test_a_bundle_that_is_not_stored_is_refused(data: Path) -> None:
    async def story() -> None:
        async with leading(data, lambda: LocalEngine(data, nodes=1, unpack=unpack)) as bench:
            with pytest.raises(RefusalError) as refused:
                await bench.engine.prepare("node-0", ("sha256:" + "0" * 64,))
            assert refused.value.code is RefusalCode.NOT_FOUND

    asyncio.run(story())


def test_a_rank_over_its_memory_limit_is_told_as_such(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            limits = (await bench.engine.nodes())[0].limits
            key = await bench.run(
                sys.executable,
                "-c",
                "x = bytearray(300 << 20)",
                per_rank=Resources(milli_cpu=100, memory_bytes=100 * MIB),
            )
            exited = await bench.wait(RankExited, key=key)
            if limits == "rlimit":
                assert exited.exit_code == 1
                assert exited.last_lines[-1] == "MemoryError"
            else:
                assert (exited.signal, exited.oom, exited.asked) == (9, True, False)

    asyncio.run(story())


def test_nothing_is_left_of_the_limits_after_an_attempt(data: Path) -> None:
    async def story() -> None:
        async with leading(data) as bench:
            key = await bench.run("cat", "/proc/self/cgroup")
            groups = [line.split(":", 2) for line in (await bench.output(key)).splitlines()]
            own = [(names, path) for _, names, path in groups if str(key) in path]
            for names, path in own:
                mount = Path("/sys/fs/cgroup") / names
                assert (mount / path.lstrip("/")).parent.is_dir()
                assert not (mount / path.lstrip("/")).exists()

    asyncio.run(story())


def test_a_script_that_is_no_program_is_the_users_fault(data: Path, tmp_path: Path) -> None:
    async def story() -> None:
        script = tmp_path / "script"
        script.write_text("no first line says what runs this\n")
        script.chmod(0o755)
        async with leading(data) as bench:
            key = await bench.launch(bench.build(str(script)))
            failed = await bench.wait(LaunchFailed, key=key)
            assert failed.user
            assert failed.reason == f"rank 0: {script}: Exec format error"

    asyncio.run(story())


def test_signals_and_descriptors_are_those_of_a_fresh_process(data: Path) -> None:
    async def story() -> None:
        script = (
            "import os, signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler,"
            "sorted(int(n) for n in os.listdir('/proc/self/fd'))[:3],"
            "len(os.listdir('/proc/self/fd')) <= 4, os.getpid() == os.getsid(0))"
        )
        async with leading(data) as bench:
            key = await bench.run(sys.executable, "-c", script)
            assert await bench.output(key) == "True [0, 1, 2] True True\n"

    asyncio.run(story())


def test_what_a_rank_writes_is_not_readable_by_others(data: Path) -> None:
    left: list[Path] = []

    async def story() -> None:
        async with leading(data) as bench:
            script = 'd=$(dirname "$TOKEN_FILE"); stat -c %a "$TOKEN_FILE" "$d"; echo "$TOKEN_FILE"'
            key = await bench.run("sh", "-c", script, secrets=(("TOKEN", "s3cret-7"),))
            *modes, path = (await bench.output(key)).split()
            assert modes == ["400", "700"]
            assert (data / "nodes" / "node-0").stat().st_mode & 0o077 == 0
            left.append(Path(path))
            sock = data / "nodes" / "node-0" / "supervisor.sock"
            if sock.exists():
                assert sock.stat().st_mode & 0o777 == 0o600

    asyncio.run(story())
    assert not left[0].exists()  # they go with the last of its processes
