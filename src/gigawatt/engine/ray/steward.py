"""What Ray runs for us on a node: it starts our supervisor there, and starts it again when it was killed.

The supervisor is nobody's child: it stays when Ray ends this process, or the node's raylet, or the whole cluster. What
it is started with is the raylet's environment without Ray's own variables.
"""

import contextlib
import os
import select
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gigawatt.engine.local.machine import look_at_machine
from gigawatt.engine.local.spawn import PROGRAM, READY_S_MAX, SupervisorError
from gigawatt.engine.supervisor.door import Door, read_door
from gigawatt.engine.supervisor.layout import write_whole
from gigawatt.version import __version__

DIRECTORY_VARIABLE = "GIGAWATT_NODE_DIR"
AGAIN_S = 1.0  # between looks at a supervisor that ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`beacon` is a file of the control plane and what is in it. `cpus`, `gpus` and `memory_bytes` are Ray's."""

    node: str
    ray: str
    host: str
    instance: str
    token: str
    orphan_s: float
    beacon: tuple[str, str]
    version: str
    cpus: float
    gpus: int
    memory_bytes: int
    labels: tuple[tuple[str, str], ...]


class Steward:
    """Calls may come from other threads than its own."""

    def __init__(self, order: Order) -> None:
        if order.version != __version__:
            raise RuntimeError(
                f"gigawatt is {__version__} on {order.node}, and {order.version} leads"
            )
        self._order = order
        self._machine = look_at_machine()
        self._environ = _raylet_environ()
        base = self._environ.get(DIRECTORY_VARIABLE) or str(Path.home() / ".gigawatt-node")
        self._root = Path(base) / order.instance / order.node
        self._lock = threading.Lock()
        self._keeping = threading.Thread(target=self._keep, daemon=True)
        self._keeping.start()

    def facts(self) -> dict[str, Any]:
        """What the node is, with its supervisor running; as `parse_facts` reads it. Raises SupervisorError."""
        door = self._ensure()
        order, machine = self._order, self._machine
        gpus = machine.gpus[: order.gpus]
        return {
            "node": order.node,
            "ray": order.ray,
            "host": door.host,
            "port": door.port,
            "cpus": order.cpus,
            "memory_bytes": min(machine.memory_bytes, order.memory_bytes),
            "gpus": [asdict(gpu) for gpu in gpus],
            "pythons": machine.pythons,
            "system": machine.system,
            "shared": _reads(*order.beacon),
            "labels": order.labels,
        }

    def _ensure(self) -> Door:
        with self._lock:
            door = read_door(self._root)
            if door is not None and _lives(door.pid):
                return door
            self._start()
            door = read_door(self._root)
        if door is None:
            raise SupervisorError(f"the supervisor of {self._order.node} ended at once")
        return door

    def _keep(self) -> None:
        """One that ends by itself leaves no door; any other is started again."""
        while True:
            door = read_door(self._root)
            if door is None:
                threading.Event().wait(AGAIN_S)
                continue
            _wait_for_end(door.pid)
            if read_door(self._root) == door:
                with contextlib.suppress(OSError, SupervisorError):
                    self._ensure()
                    continue
            threading.Event().wait(AGAIN_S)

    def _start(self) -> None:
        """Returns when it listens, or another one does. Raises SupervisorError, OSError."""
        order = self._order
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        token = self._root / "token"
        write_whole(token, order.token.encode())
        argv = [sys.executable, "-I", "-S", str(PROGRAM), "--dir", str(self._root)]
        argv += ["--node", order.node, "--instance", order.instance, "--address", order.host]
        argv += ["--orphan-s", str(order.orphan_s), "--token-file", str(token), "--detach", "yes"]
        with (self._root / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        said = _first_line(process)
        if said not in {"ready", "locked"}:
            raise SupervisorError(
                f"the supervisor of {order.node} did not start: {said or 'it said nothing'}"
            )


def _first_line(process: "subprocess.Popen[bytes]") -> str:
    """What it says within a time; the process that was started has left by then."""
    assert process.stdout is not None
    with process.stdout as told:
        readable, _, _ = select.select([told], [], [], READY_S_MAX)
        said = told.readline() if readable else b""
    if not readable:
        process.kill()
    process.wait()
    return said.decode(errors="replace").strip()


def _raylet_environ() -> dict[str, str]:
    """What the node was joined with: Ray gives its workers variables that programs must not inherit."""
    try:
        raw = Path(f"/proc/{os.environ['RAY_RAYLET_PID']}/environ").read_bytes()
    except (KeyError, OSError):
        environ = dict(os.environ)
    else:
        pairs = (entry.partition("=") for entry in raw.decode(errors="replace").split("\0"))
        environ = {name: value for name, equals, value in pairs if equals}
    return {name: value for name, value in environ.items() if not name.startswith("RAY_")}


def _reads(path: str, content: str) -> bool:
    try:
        return Path(path).read_text() == content
    except OSError:
        return False


def _lives(pid: int) -> bool:
    """It may be another process by now, which then ends some time: whoever starts a second one is told so."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return str(PROGRAM).encode() in words


def _wait_for_end(pid: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        select.select([fd], [], [])
    finally:
        os.close(fd)
