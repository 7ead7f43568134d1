"""Jobs of several Unix users: each has what is theirs, and nothing of others. As root, with users that every system has."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.engine.conformance import Report, run
from gigawatt.engine.conformance.bench import NO_FAULTS, Bench
from gigawatt.engine.local.spawn import PROGRAM
from gigawatt.engine.slurm import (
    Bearer,
    Slurm,
    SlurmCommands,
    SlurmEngine,
    SlurmOptions,
    SlurmRest,
    TokenOfSlurm,
)
from gigawatt.engine.slurm.users import Users, unix_user
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import Launch
from gigawatt.model.observation import AttemptGone, LaunchFailed
from tests.contract.engine.slurm.faulty import cluster_faults
from tests.slurm_cluster import SlurmCluster
from tests.waiting import until

pytestmark = pytest.mark.slow

PYTHON = "/usr/bin/python3"  # that other users may run
NAMES = {"conformance/*": "nobody", "conformance-a/*": "daemon", "conformance-b/*": "nobody"}
CASES = (
    "gang-starts-whole",
    "secrets-come-as-files",
    "exit-is-reported-once",
    "broken-checkpoint-is-found-out",
    "log-is-read-after-release",
    "adoption-keeps-processes",
    "cut-launch-is-made-whole",
    "killed-supervisor-loses-its-ranks-alone",
    "isolation-user",
)
OPTIONS = SlurmOptions(users=Users(names=NAMES), python=PYTHON)


@pytest.fixture(scope="module", autouse=True)
def readable() -> None:
    """The product's files, by somebody who is not root."""
    nobody = unix_user("nobody")
    try:
        subprocess.run(
            [PYTHON, "-I", "-S", "-c", f"open({str(PROGRAM)!r})"],
            check=True,
            capture_output=True,
            user=nobody.uid,
            group=nobody.gid,
            extra_groups=[],
        )
    except (OSError, subprocess.SubprocessError):
        pytest.skip(f"other users cannot run {PYTHON} or read {PROGRAM}")


@pytest.fixture(params=["commands", "rest"], scope="module")
def slurm(request: pytest.FixtureRequest, cluster: SlurmCluster) -> Slurm:
    commands = SlurmCommands(cluster.environ)
    if request.param == "commands":
        return commands
    return SlurmRest(cluster.start_rest(), Bearer(TokenOfSlurm(commands)), commands)


def test_a_job_is_its_users_and_so_is_all_that_it_leaves(
    cluster: SlurmCluster, data: Path, slurm: Slurm
) -> None:
    """Its logs are read all the same, and a link in place of one leads nowhere."""

    async def tried() -> tuple[str, str]:
        bench = _bench(data, slurm)
        await bench.start("users")
        script = 'id -un; echo "$HOME $USER"; touch "$GIGAWATT_CHECKPOINT_DIR/mine"'
        work = data / "work" / "tenant" / "checkpoints"
        launch = bench.build("sh", "-c", script, checkpoint_dir=str(work))
        key = await bench.launch(launch)
        await bench.wait(AttemptGone, key=key)
        said = await bench.output(key)
        await asyncio.to_thread(_look_and_put_a_link, data, str(key), said)
        try:
            leaked = await bench.output(key)
        except OSError as error:
            leaked = str(error)
        await bench.finish()
        return said, leaked

    said, leaked = asyncio.run(tried())
    home = unix_user("nobody").home
    assert said.splitlines() == ["nobody", f"{home} nobody"]
    assert "root's alone" not in leaked
    until(lambda: not cluster.run("squeue", "-h"), what="no job in Slurm")


def _look_and_put_a_link(data: Path, key: str, said: str) -> None:
    checkpoints = data / "work" / "tenant" / "checkpoints"
    assert (checkpoints / "mine").owner() == checkpoints.owner() == "nobody"
    (directory,) = data.glob(f"nodes/*/attempts/{key}")
    assert directory.owner() == "nobody"
    assert directory.stat().st_mode & 0o077 == 0
    log = directory / "logs" / "rank-0.stdout" / "0000000000000000"
    assert log.read_text() == said
    log.unlink()
    log.symlink_to(data / "of-root")
    (data / "of-root").write_text("root's alone")
    (data / "of-root").chmod(0o640)


def test_without_a_unix_user_nothing_is_submitted(cluster: SlurmCluster, data: Path) -> None:
    async def tried() -> LaunchFailed:
        slurm = SlurmCommands(cluster.environ)
        bench = _bench(data, slurm)
        await bench.start("users")
        key = await bench.launch(bench.build("true", tenant="elsewhere", user="eve"))
        failed = await bench.wait(LaunchFailed, key=key)
        await bench.finish()
        return failed

    failed = asyncio.run(tried())
    assert failed.reason == "no Unix user is named for elsewhere/eve"
    assert failed.user


def test_the_home_of_a_workspace_is_given_to_its_user_once(
    cluster: SlurmCluster, data: Path
) -> None:
    """And a workspace of another one is refused, who would find a home that is not theirs."""
    home = data / "homes" / "tenant" / "project" / "lab"
    home.mkdir(mode=0o700, parents=True)

    async def tried() -> tuple[list[str], LaunchFailed]:
        bench = _bench(data, SlurmCommands(cluster.environ))
        await bench.start("users")
        said: list[str] = []
        for _ in range(2):
            key = await bench.launch(_desk(bench, home, tenant="conformance"))
            await bench.wait(AttemptGone, key=key)
            said.append(await bench.output(key))
        other = await bench.launch(_desk(bench, home, tenant="conformance-a"))
        failed = await bench.wait(LaunchFailed, key=other)
        await bench.finish()
        return said, failed

    said, failed = asyncio.run(tried())
    assert said == [f"nobody {home}\n", f"nobody {home}\nkept\n"]
    assert failed.user
    assert failed.reason == (
        f"the home {home} is nobody's, and the workspace is daemon's: make one of another name, or have an "
        f"operator run chown -R daemon {home}"
    )


def _desk(bench: Bench, home: Path, *, tenant: str) -> Launch:
    script = 'echo "$(id -un) $HOME"; ls "$HOME"; touch "$HOME/kept"'
    env = (("HOME", str(home)),)
    return bench.build("sh", "-c", script, kind=GangKind.WORKSPACE, tenant=tenant, env=env)


@pytest.fixture(scope="module")
def report(cluster: SlurmCluster) -> Iterator[Report]:
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        data = Path(directory)
        slurm = SlurmCommands(cluster.environ)
        yield asyncio.run(
            run(
                lambda: SlurmEngine(data, slurm, options=OPTIONS),
                only=CASES,
                faults=cluster_faults(cluster),
                scratch=data,
            )
        )


@pytest.mark.parametrize("name", CASES)
def test_the_engine_conforms_with_users(report: Report, name: str) -> None:
    case = next(case for case in report.cases if case.name == name)
    assert (case.result, case.evidence) == ("passed", case.evidence)


def _bench(data: Path, slurm: Slurm) -> Bench:
    return Bench(
        lambda: SlurmEngine(data, slurm, options=OPTIONS),
        faults=NO_FAULTS,
        epoch=1,
        scratch=data,
        tag="test",
    )
