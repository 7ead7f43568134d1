"""A supervisor of one attempt alone, started on its node by a batch system: where it is found, who may speak to it.

It is reached by TCP. Both sides prove that they know the attempt's token, which never goes over the wire; what follows
is neither hidden nor sealed, so the network between nodes must be one's own. It ends with its attempt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import time
from pathlib import Path
from typing import Any, NamedTuple

from gigawatt.engine.supervisor.layout import Layout, NodeLockedError, write_whole
from gigawatt.engine.supervisor.loop import Loop
from gigawatt.engine.supervisor.spec import StageSpec
from gigawatt.engine.supervisor.wire import Connection, Message, RequestError

NONCE_BYTES = 16
GREET_S = 10.0
LOCK_S = 20.0  # for one that was submitted by mistake to be cancelled
LOCK_AGAIN_S = 0.1
STRANGERS_MAX = 32  # connections that have not proven themselves
CALL_S = 1.0
STEP_VARIABLES = ("SLURM", "SRUN_", "PMI", "SBATCH_")
KEPT_VARIABLES = frozenset({"SLURM_CONF", "SLURM_JOB_ID", "SLURM_CLUSTER_NAME"})
ENGINE, SUPERVISOR, CALL = "engine", "supervisor", "call"  # who proves


class JobSpec(NamedTuple):
    """What a batch job's file says. Paths are on a file system that the control plane sees too."""

    key: str
    instance: str  # of this attempt alone, so that what others left is not taken for ours
    nodes_dir: str
    node_variable: str  # in which the batch system says on which node we are
    addresses: dict[str, str]  # by node
    token: str
    call: tuple[str, int]  # where whoever submitted us waits to be told that we are here
    epoch_file: str
    python: str  # holds the rank module
    stage_s: float
    orphan_s: float
    user: str = ""  # whose it is, where that is not whoever submitted it


def read_job(path: Path) -> JobSpec:
    """Raises OSError, KeyError, TypeError or ValueError."""
    raw: dict[str, Any] = json.loads(path.read_bytes())
    host, port = raw.pop("call")
    return JobSpec(**raw, call=(str(host), int(port)))


def proof(token: str, who: str, *facts: str) -> str:
    """What only those can say who know the token."""
    return hmac.new(token.encode(), "\n".join((who, *facts)).encode(), hashlib.sha256).hexdigest()


def with_devices(spec: StageSpec, devices: tuple[str, ...]) -> StageSpec:
    """The stage with the devices that the batch system gave, in the order of ranks. Raises RequestError (machine)."""
    wanted = sum(len(rank.gpus) for rank in spec.ranks)
    if wanted > len(devices):
        raise RequestError("machine", f"{wanted} GPUs were asked for, {len(devices)} were given")
    left = list(devices)
    ranks = tuple(rank._replace(gpus=tuple(left.pop(0) for _ in rank.gpus)) for rank in spec.ranks)
    return spec._replace(ranks=ranks)


def leave_batch_system() -> None:
    """Drop what tells programs that they are tasks of a batch system's step: ranks are ours, as torchrun's are."""
    for name in tuple(os.environ):
        if name.startswith(STEP_VARIABLES) and name not in KEPT_VARIABLES:
            del os.environ[name]


def devices_given() -> tuple[str, ...]:
    """By the batch system, as CUDA numbers or names them."""
    return tuple(name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name)


def listen_tcp(address: str) -> socket.socket:
    """On a free port of this address; of any, where it is not one of this host's own. Raises OSError."""
    found = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
    family, bound = found[0], found[4]
    try:
        sock = socket.create_server((str(bound[0]), 0), family=family)
    except OSError:
        sock = socket.create_server(("", 0), family=family)
    sock.settimeout(0)
    return sock


def take_lock(layout: Layout) -> int:
    """Hold the attempt on this node: one that was submitted twice is let run once. Raises NodeLockedError."""
    until_s = time.monotonic() + LOCK_S
    while True:
        try:
            return layout.lock()
        except NodeLockedError:
            if time.monotonic() > until_s:
                raise
            time.sleep(LOCK_AGAIN_S)


def tell_where(job: JobSpec, job_file: Path, node: str, port: int) -> None:
    """Leave our address for whoever leads, and call who submitted us: a call is faster than looking for a file."""
    address = job.addresses[node]
    place = {"node": node, "host": address, "port": port, "pid": os.getpid()}
    mac = proof(job.token, CALL, job.key, node, address, str(port))
    write_whole(job_file.with_name(f"{job_file.stem}.{node}.at"), json.dumps(place).encode())
    line = json.dumps({"key": job.key, **place, "mac": mac}).encode() + b"\n"
    try:
        with socket.create_connection(job.call, timeout=CALL_S) as sock:
            sock.sendall(line)
    except OSError:
        return  # it has ended; the next one finds the file


class Strangers:
    """Connections that are not let in yet."""

    def __init__(self, loop: Loop, token: str) -> None:
        self._loop = loop
        self._token = token
        self._nonces: dict[Connection, tuple[str, str]] = {}

    def add(self, connection: Connection) -> None:
        """It has a while to prove itself."""
        if len(self._nonces) >= STRANGERS_MAX:
            connection.close()
            return
        self._nonces[connection] = ("", "")
        self._loop.later(GREET_S, lambda: self._close_if_strange(connection))

    def forget(self, connection: Connection) -> None:
        self._nonces.pop(connection, None)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._nonces

    def ask(self, connection: Connection, message: Message) -> dict[str, Any]:
        """`greet` is answered with our proof, `prove` lets in. Raises RequestError, and closes."""
        theirs, ours = self._nonces[connection]
        if message["verb"] == "greet" and not ours:
            theirs, ours = str(message["nonce"]), os.urandom(NONCE_BYTES).hex()
            self._nonces[connection] = (theirs, ours)
            return {"nonce": ours, "mac": proof(self._token, SUPERVISOR, theirs, ours)}
        wanted = proof(self._token, ENGINE, ours, theirs)
        if message["verb"] == "prove" and ours and hmac.compare_digest(str(message["mac"]), wanted):
            self.forget(connection)
            return {}
        self._loop.later(0, connection.close)
        raise RequestError("bad-request", "who are you?")

    def _close_if_strange(self, connection: Connection) -> None:
        if connection in self._nonces:
            connection.close()
