"""Starting Ray on this machine: the head of a cluster of our own, and what joins a machine to a cluster.

`ray start --block` stays as long as its parts do, and ends them with itself: one process to start, and one to end by
its number. Never `ray stop`, which ends every Ray of the machine.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from gigawatt.clock import monotonic_s
from gigawatt.engine.ray.facts import NODE_LABEL, PREFIX
from gigawatt.engine.ray.scout import ray_environ
from gigawatt.engine.ray.steward import DIRECTORY_VARIABLE
from gigawatt.engine.supervisor import tree
from gigawatt.engine.supervisor.layout import write_whole
from gigawatt.model.refusal import RefusalCode, RefusalError

log = logging.getLogger(__name__)

START_S = 120.0
END_S = 15.0
LOOK_S = 0.2
RAY_DIRECTORY = str(Path(tempfile.gettempdir()) / "ray")  # its default
STORE_BYTES = 80 << 20  # of Ray's object store, which holds nothing of ours: memory is for ranks
WITHOUT_DASHBOARD = ("--include-dashboard=false",)  # it is a web server that nobody asked for
STARTED = b"Ray runtime started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """This machine in a cluster. `cpus` and `gpus` None are what Ray finds; `directory` "" is the steward's default.

    `levels` are where it stands, by the levels of topology; `labels` whatever else is to be known of it.
    """

    node: str
    address: str
    token_file: Path
    cpus: int | None = None
    gpus: int | None = None
    levels: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    directory: str = ""
    ray_directory: str = ""  # of Ray's own files; "" is its default

    def command(self, *where: str) -> list[str]:
        """That starts Ray: `where` says whether as the head or to which head."""
        labels = {
            **self.labels,
            NODE_LABEL: self.node,
            **{f"{PREFIX}{level}": name for level, name in self.levels.items()},
        }
        argv = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *where]
        argv += [f"--node-ip-address={self.address}", "--disable-usage-stats"]
        argv.append(f"--object-store-memory={STORE_BYTES}")
        argv += ["--labels", ",".join(f"{name}={value}" for name, value in labels.items())]
        for option, number in (("--num-cpus", self.cpus), ("--num-gpus", self.gpus)):
            if number is not None:
                argv.append(f"{option}={number}")
        if self.ray_directory:
            argv.append(f"--temp-dir={self.ray_directory}")
        return argv

    def environ(self) -> dict[str, str]:
        """Of that command. What a rank inherits of it is the machine's, and nothing of an instance's."""
        kept = {name: value for name, value in os.environ.items() if name[:9] != "GIGAWATT_"}
        ours = {DIRECTORY_VARIABLE: self.directory} if self.directory else {}
        return {**kept, **ray_environ(self.token_file), **ours}


def check_ray() -> None:
    """Raises RefusalError where it is not installed."""
    if find_spec("ray") is None:
        raise RefusalError(
            RefusalCode.UNAVAILABLE, "Ray is not installed", hint="pip install 'gigawatt[ray]'"
        )


class Head:
    """Of a cluster of our own: it outlives the control plane, and is started again when it has died."""

    def __init__(
        self,
        member: Member,
        port: int,
        *,
        record: Path,
        log_file: Path,
        options: tuple[str, ...] = WITHOUT_DASHBOARD,
    ) -> None:
        self._options = options
        self._member = member
        self._port = port
        self._record = record
        self._log_file = log_file

    async def ensure(self) -> None:
        """Returns once it runs. Raises OSError."""
        if read_head(self._record) is not None:
            return
        log.info("starting the head of a Ray cluster at %s:%s", self._member.address, self._port)
        pid = await asyncio.to_thread(self._spawn)
        try:
            async with asyncio.timeout(START_S):
                while STARTED not in await asyncio.to_thread(self._log_file.read_bytes):
                    await asyncio.sleep(LOOK_S)
                    if _reaped(pid):
                        raise OSError(f"the head did not start: see {self._log_file}")
        except TimeoutError:
            os.kill(pid, signal.SIGTERM)
            raise OSError(f"the head has not started in {START_S:g} s") from None

    def _spawn(self) -> int:
        self._forget_last()
        with self._log_file.open("wb") as output:
            process = subprocess.Popen(
                self._member.command("--head", f"--port={self._port}", *self._options),
                env=self._member.environ(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        process.returncode = 0  # it goes on without us
        found = tree.identify(process.pid)
        if found is not None:
            write_whole(self._record, json.dumps(found._asdict()).encode())
        return process.pid

    def _forget_last(self) -> None:
        """Ray refuses a head where it remembers one that somebody still asks for: ours, which has died."""
        memory = Path(self._member.ray_directory or RAY_DIRECTORY) / "ray_current_cluster"
        with contextlib.suppress(OSError):
            if memory.read_text().strip() == f"{self._member.address}:{self._port}":
                memory.unlink()


def read_head(record: Path) -> tree.Process | None:
    """The head that was started last, if it still runs."""
    try:
        known = tree.Process(**json.loads(record.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    _reaped(known.pid)
    return known if tree.identify(known.pid) == known else None


def end_head(record: Path) -> None:
    """End it, if it runs, and forget it. Blocks."""
    known = read_head(record)
    if known is not None:
        tree.send(signal.SIGTERM, [known.pid])
        until_s = monotonic_s() + END_S
        while read_head(record) is not None and monotonic_s() < until_s:
            threading.Event().wait(LOOK_S)
        tree.send(signal.SIGKILL, session_of(known.pid))
    record.unlink(missing_ok=True)


def session_of(leader: int) -> list[int]:
    """Every process of the session that it leads, or has led."""
    stats = ((pid, tree.read_stat(pid)) for pid in tree.all_pids())
    return [pid for pid, stat in stats if stat is not None and stat.session == leader]


def _reaped(pid: int) -> bool:
    """Take its exit status if it was a child of ours and has ended; whether so."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False
