"""A Ray cluster of several nodes on one machine, each in a network namespace of its own, for tests.

The head is on the bridge between them, in the machine's own namespace. Everything is ended by its pid: what bears our
variable in its environment is ours.
"""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from gigawatt.engine.ray import Cluster, Head, Member
from gigawatt.engine.ray.heads import WITHOUT_DASHBOARD, read_head, session_of
from gigawatt.engine.ray.scout import ray_environ
from tests.processes import marked, send
from tests.waiting import until

MARKER = "GW_TEST_RAY"
REQUIRED = "GIGAWATT_REQUIRE_RAY"
START_S = 120.0
CPUS = 2
CLUSTERS = itertools.count(0, 7_919)


class RayCluster:
    """`data` is the instance's directory, which nodes see unless they are added with `far`."""

    def __init__(self, base: Path, number: int, *, dashboard: bool = False) -> None:
        self.base = base
        self.data = base / "data"
        self.subnet = f"10.213.{number % 250}"
        self.address = f"{self.subnet}.1"
        self.nodes: dict[str, str] = {}  # addresses by name
        self._tag = f"gwr{number % 100_000}"
        self._joined: dict[str, subprocess.Popen[bytes]] = {}
        token = base / "token"
        token.write_text(os.urandom(24).hex())
        token.chmod(0o600)
        self.port = 6400 + number % 500
        self.cluster = Cluster(
            address=f"{self.address}:{self.port}", node_ip=self.address, token_file=token
        )
        member = Member(
            node="head",
            address=self.address,
            token_file=token,
            cpus=0,
            ray_directory=str(base / "h"),
        )
        self.record = base / "head.json"
        self.dashboard_url = f"http://{self.address}:{self.port + 1000}"
        options = WITHOUT_DASHBOARD
        if dashboard:
            options = (f"--dashboard-host={self.address}", f"--dashboard-port={self.port + 1000}")
        self.head = Head(
            member, self.port, record=self.record, log_file=base / "head.log", options=options
        )

    @property
    def alive(self) -> frozenset[str]:
        """Nodes that were not killed."""
        return frozenset(self._joined)

    def up(self, *names: str) -> None:
        """The bridge, the head and these nodes."""
        self.data.mkdir()
        (self.base / "w").mkdir()
        _ip("link", "add", self._tag, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", self._tag)
        _ip("link", "set", self._tag, "up")
        self.start_head()
        for name in names:
            self.add(name)
        self.wait_for_nodes()

    def start_head(self) -> None:
        asyncio.run(self.head.ensure())

    def kill_head(self) -> None:
        """All of it: what stores the cluster's state, and what runs beside it."""
        known = read_head(self.record)
        assert known is not None
        for pid in session_of(known.pid):
            send(pid, signal.SIGKILL)
        until(lambda: read_head(self.record) is None, timeout_s=10, what="the head to end")

    def pause_head(self, *, resume: bool = False) -> None:
        known = read_head(self.record)
        assert known is not None
        for pid in session_of(known.pid):
            send(pid, signal.SIGCONT if resume else signal.SIGSTOP)

    def add(self, name: str, *, far: bool = False) -> None:
        """A node more, which does not see our directory if it is `far`."""
        if name not in self.nodes:
            index = len(self.nodes) + 2
            self.nodes[name] = f"{self.subnet}.{index}"
            space, veth = self._space(name), f"{self._tag}v{index}"
            _ip("netns", "add", space)
            _ip("link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", veth, "master", self._tag, "up")
            _ip("-n", space, "addr", "add", f"{self.nodes[name]}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "link", "set", "lo", "up")
        self._join(name, far=far)

    def cut(self, name: str, *, restore: bool = False) -> None:
        """Take a node's network away."""
        _ip("-n", self._space(name), "link", "set", "eth0", "up" if restore else "down")

    def kill_raylet(self, name: str) -> None:
        for pid in marked(f"{MARKER}={self.base}"):
            words = _words(pid)
            if (
                words[:1]
                and words[0].endswith("/raylet")
                and f"{self.base}/{name}/" in " ".join(words)
            ):
                send(pid, signal.SIGKILL)
                return
        raise AssertionError(f"{name} has no raylet")

    def kill_node(self, name: str) -> None:
        """Every process of it, as when its power goes."""
        inside = subprocess.run(
            ["ip", "netns", "pids", self._space(name)], capture_output=True, text=True, check=True
        )
        for pid in inside.stdout.split():
            send(int(pid), signal.SIGKILL)
        self._joined.pop(name).wait(30)

    def wait_for_nodes(self) -> None:
        for name in self._joined:
            log = self.base / f"{name}.log"
            until(
                lambda log=log: "joined" in log.read_text(),
                timeout_s=START_S,
                what=f"{name} to join",
            )

    def down(self) -> None:
        until(self._ended, timeout_s=20, what="every process to end")
        for process in self._joined.values():
            process.wait(10)
        for name in self.nodes:
            _ip("netns", "del", self._space(name), check=False)
        _ip("link", "del", self._tag, check=False)

    def _ended(self) -> bool:
        """Whether nothing of it is left; what is, is killed."""
        left = marked(f"{MARKER}={self.base}")
        for pid in left:
            send(pid, signal.SIGKILL)
        for process in self._joined.values():
            process.poll()
        read_head(self.record)
        return not left

    def gw(self, *words: str) -> str:
        """What a command of the instance prints."""
        done = subprocess.run(
            [sys.executable, "-m", "gigawatt.cli", *words],
            env={
                **self.environ(),
                "GIGAWATT_DATA": str(self.data),
                "GIGAWATT_RAY_ADDRESS": self.cluster.address,
                "GIGAWATT_RAY_TOKEN": str(self.cluster.token_file),
            },
            cwd=self.base / "w",
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environ(self) -> dict[str, str]:
        return {**os.environ, **ray_environ(self.cluster.token_file), MARKER: str(self.base)}

    def _join(self, name: str, *, far: bool) -> None:
        words = [sys.executable, "-m", "gigawatt.cli", "node", "join", self.cluster.address]
        words += ["--token-file", str(self.cluster.token_file), "--name", name]
        words += ["--address", self.nodes[name], "--cpus", str(CPUS), "--at", f"rack=r-{name}"]
        words += ["--label", "zone=z1", "--dir", str(self.base / "nodes")]
        words += ["--ray-dir", str(self.base / name)]
        if far:
            hide = f'mount -t tmpfs none {self.data} && exec "$@"'
            words = ["sh", "-c", hide, "sh", *words]
        with (self.base / f"{name}.log").open("wb") as output:
            self._joined[name] = subprocess.Popen(
                ["ip", "netns", "exec", self._space(name), *words],
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _space(self, name: str) -> str:
        return f"{self._tag}-{name}"


@contextmanager
def running_ray(*names: str, dashboard: bool = False) -> Generator[RayCluster]:
    """Skips where there is no Ray, or no root; fails instead if GIGAWATT_REQUIRE_RAY is 1."""
    why = _missing()
    if why:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(why)
        pytest.skip(why)
    base = Path(tempfile.mkdtemp(prefix="gwr-"))
    # An address and names that no other cluster has, nor the last one of this process: its links go when the kernel likes.
    cluster = RayCluster(base, os.getpid() + next(CLUSTERS), dashboard=dashboard)
    os.environ[MARKER] = str(base)
    try:
        cluster.up(*names)
        yield cluster
    finally:
        del os.environ[MARKER]
        cluster.down()
        shutil.rmtree(base, ignore_errors=True)


def _missing() -> str:
    if find_spec("ray") is None:
        return "Ray is not installed: the extra gigawatt[ray]"
    if not shutil.which("ip"):
        return "network namespaces are made by ip (Debian: iproute2)"
    if os.geteuid() != 0:
        return "several Ray nodes on one machine need network namespaces, and those need root"
    name = f"gwr{os.getpid()}-try"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"no network namespace can be made here: {done.stderr.strip()}"
    _ip("netns", "del", name)
    return ""


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
