"""A real Slurm cluster for tests: several slurmd on this machine, on ports and in a directory of their own.

Every daemon is started in the foreground as a child, and ended by its pid. GPUs are character devices (aliases of
/dev/null), so that Slurm sets CUDA_VISIBLE_DEVICES. Needs root, and the Debian packages `slurm-wlm` and `munge`; for REST
also `slurmrestd` and `slurm-wlm-jwt-plugin`.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.processes import marked, send
from tests.waiting import until

REQUIRED = "GIGAWATT_REQUIRE_SLURM"  # "1": a missing Slurm is a failure, not a skip
MARKER = "GIGAWATT_TEST_CLUSTER"  # in the environment of all that the daemons start
NODES = 4
GPUS = 8
SLURMD_TIMEOUT_S = 10
START_S = 60.0
STOP_S = 20.0

CONF = """
ClusterName=ci
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={base}/run/munge.sock
CredType=cred/munge
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool/%n
SlurmctldPidFile={base}/run/slurmctld.pid
SlurmdPidFile={base}/run/slurmd.%n.pid
SlurmctldLogFile={base}/log/slurmctld.log
SlurmdLogFile={base}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
PropagateResourceLimits=NONE
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
PriorityType=priority/basic
TopologyPlugin=topology/tree
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout={slurmd_timeout}
SlurmctldTimeout=30
MessageTimeout=4
InactiveLimit=0
KillWait=5
MinJobAge=300
Waittime=0
MaxJobCount=100000
DefMemPerCPU=100
MailProg=/bin/true
{tokens}
{nodes}
PartitionName=batch Nodes=n[1-{count}] Default=YES MaxTime=INFINITE State=UP
PartitionName=half Nodes=n[1-2] MaxTime=INFINITE State=UP
"""
TOKENS = "AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={base}/state/jwt.key"
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=64 Boards=1 SocketsPerBoard=2 "
    "CoresPerSocket=32 ThreadsPerCore=1 RealMemory=1000000 Gres=gpu:h100:{gpus} Feature=h100,rack{rack} State=UNKNOWN"
)
TOPOLOGY = "SwitchName=leaf1 Nodes=n[1-2]\nSwitchName=leaf2 Nodes=n[3-{count}]\nSwitchName=spine Switches=leaf[1-2]\n"


@dataclass(slots=True)
class SlurmCluster:
    """`environ` is what its clients need. Nodes are n1, n2, ..."""

    base: Path
    nodes: tuple[str, ...]
    _daemons: "dict[str, subprocess.Popen[Any]]" = field(
        default_factory=dict[str, "subprocess.Popen[Any]"]
    )

    @property
    def environ(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.base / "etc" / "slurm.conf")}

    def run(self, *command: str, check: bool = True) -> str:
        """A client's standard output."""
        done = subprocess.run(
            command,
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def start(self, name: str) -> None:
        """slurmctld, or the slurmd of a node."""
        conf = self.environ["SLURM_CONF"]
        if name == "slurmctld":
            self._spawn(name, "slurmctld", "-D", "-f", conf)
        else:
            self._spawn(name, "slurmd", "-D", "-N", name, "-f", conf)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        daemon = self._daemons.pop(name)
        daemon.send_signal(number)
        daemon.wait(STOP_S)

    def start_rest(self) -> str:
        """slurmrestd, as the user nobody, for it refuses to be root; its address."""
        if not shutil.which("slurmrestd"):
            _miss("no slurmrestd found (Debian: slurmrestd slurm-wlm-jwt-plugin)")
        (port,) = _free_ports(1)
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        place = f"127.0.0.1:{port}"
        # Without slurmdbd it must be kept from speaking for it. Later versions call the other one "slurmctld".
        old = "22.05" in self.run("slurmrestd", "-V")
        serves = ("-s", "openapi/v0.0.38" if old else "slurmctld")
        self._spawn("slurmrestd", *nobody, "slurmrestd", "-a", "rest_auth/jwt", *serves, place)
        until(lambda: _listens(port), what="slurmrestd to listen")
        return f"http://{place}"

    def pause(self, name: str, *, resume: bool = False) -> None:
        self._daemons[name].send_signal(signal.SIGCONT if resume else signal.SIGSTOP)

    def idle(self) -> bool:
        states = self.run("sinfo", "-h", "-N", "-p", "batch", "-o", "%T", check=False).split()
        return states == ["idle"] * len(self.nodes)

    def up(self) -> None:
        """Start everything; returns when every node is idle."""
        _write_key(self.base / "state" / "munge.key", 128)
        _write_key(self.base / "state" / "jwt.key", 32)
        run = self.base / "run"
        self._spawn(
            "munged",
            "munged",
            "-F",
            f"--key-file={self.base}/state/munge.key",
            f"--socket={run}/munge.sock",
            f"--pid-file={run}/munged.pid",
            f"--log-file={self.base}/log/munged.log",
            f"--seed-file={self.base}/state/munge.seed",
        )
        until((run / "munge.sock").exists, what="munged to listen")
        self.start("slurmctld")
        for node in self.nodes:
            (self.base / "spool" / node).mkdir(parents=True, exist_ok=True)
            self.start(node)
        until(self.idle, timeout_s=START_S, what="every node to be idle")

    def down(self) -> None:
        """End every daemon, and what they have left."""
        if "slurmctld" in self._daemons:
            jobs = self.run("squeue", "-h", "-o", "%A", check=False).split()
            if jobs:
                self.run("scancel", "--full", "-s", "KILL", *jobs, check=False)
        for name in ["slurmrestd", *self.nodes, "slurmctld", "munged"]:
            if name in self._daemons:
                self._daemons[name].send_signal(signal.SIGCONT)
                self.kill(name, signal.SIGTERM)
        until(lambda: _kill_marked(f"{MARKER}={self.base}"), timeout_s=STOP_S, what="no process")

    def _spawn(self, name: str, *command: str) -> None:
        log = (self.base / "log" / f"{name}.out").open("ab")
        environ = {**os.environ, **self.environ, MARKER: str(self.base)}
        if name == "slurmrestd":
            environ["SLURM_JWT"] = "daemon"
        with log:
            self._daemons[name] = subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )


@contextmanager
def running_slurm(count: int = NODES) -> Generator[SlurmCluster]:
    """Skips where there is no Slurm, or no root; fails instead if GIGAWATT_REQUIRE_SLURM is 1."""
    why = _missing()
    if why:
        _miss(why)
    base = Path(tempfile.mkdtemp(prefix="gw-slurm-"))
    cluster = SlurmCluster(base, tuple(f"n{index + 1}" for index in range(count)))
    _configure(base, cluster.nodes)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()
        shutil.rmtree(base, ignore_errors=True)


def _miss(why: str) -> NoReturn:
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(why)
    pytest.skip(why)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _missing() -> str:
    absent = [
        name for name in ("sbatch", "slurmctld", "slurmd", "munged") if not shutil.which(name)
    ]
    if absent:
        return f"no Slurm found: {', '.join(absent)} (Debian: slurm-wlm munge)"
    if os.geteuid() != 0:
        return "a Slurm cluster of several nodes on one machine needs root"
    return ""


def _configure(base: Path, nodes: tuple[str, ...]) -> None:
    base.chmod(0o755)
    for name in ("etc", "run", "log", "state", "spool", "dev"):
        (base / name).mkdir()
    host = socket.gethostname().split(".")[0]
    ports = _free_ports(len(nodes) + 1)
    lines = [
        NODE.format(name=name, host=host, port=port, gpus=GPUS, rack=1 + index // 2)
        for index, (name, port) in enumerate(zip(nodes, ports[1:], strict=True))
    ]
    conf = CONF.format(
        host=host,
        base=base,
        tokens=TOKENS.format(base=base) if shutil.which("slurmrestd") else "",
        ctld_port=ports[0],
        nodes="\n".join(lines),
        count=len(nodes),
        slurmd_timeout=SLURMD_TIMEOUT_S,
    )
    for index in range(GPUS):
        os.mknod(base / "dev" / f"nvidia{index}", 0o666 | 0o020000, os.makedev(1, 3))
    (base / "etc" / "slurm.conf").write_text(conf)
    (base / "etc" / "topology.conf").write_text(TOPOLOGY.format(count=len(nodes)))
    (base / "etc" / "gres.conf").write_text(
        f"NodeName=n[1-{len(nodes)}] Name=gpu Type=h100 File={base}/dev/nvidia[0-{GPUS - 1}]\n"
    )


def _write_key(path: Path, size: int) -> None:
    path.write_bytes(os.urandom(size))
    path.chmod(0o400)


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, each once."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _kill_marked(variable: str) -> bool:
    """Whether none was left."""
    left = marked(variable)
    for pid in left:
        send(pid, signal.SIGKILL)
    return not left
