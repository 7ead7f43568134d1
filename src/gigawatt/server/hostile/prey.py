"""What attacks are after: the files of an instance, sockets and a port, and a gang of another tenant that waits."""

import ctypes
import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.engine.conformance.bench import Bench
from gigawatt.model.gang import Isolation
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import RankStarted

MARK = "prey-8c1f"
ABSTRACT = "gigawatt-prey"
SHM_KEY = 0x67770001
SHARED = Path("/dev/shm/prey-shared")  # noqa: S108 - where programs share memory
IPC_RMID = 0
VICTIM = """
import ctypes, json, os, socket, sys, time
from pathlib import Path
mark = sys.argv[1]
Path("prey").write_text(mark)
checkpoint = Path(os.environ["GIGAWATT_CHECKPOINT_DIR"], "prey")
checkpoint.write_text(mark)
Path("/dev/shm/prey-shared").write_text(mark)
kept = ctypes.create_string_buffer(mark.encode())
libc = ctypes.CDLL(None)
segment = libc.shmget(int(sys.argv[3]), 4096, 0o1600)
door = socket.socket(socket.AF_UNIX)
door.bind("\\0" + sys.argv[2])
door.listen()
print(json.dumps({
    "secret": os.environ["PREY_FILE"], "checkpoint": str(checkpoint), "victim_dir": str(Path.cwd().parent),
    "victim_address": ctypes.addressof(kept), "victim_port": int(os.environ["MASTER_PORT"]),
}), flush=True)
libc.pause()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prey:
    """`facts` is what the hostile program is told, so that it need not search."""

    data: Path
    token: Path
    secret: str
    weights: Path
    facts: dict[str, Any]
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        """Nothing of it stays, also where no walls were between it and the machine."""
        for each in self.sockets:
            each.close()
        SHARED.unlink(missing_ok=True)
        libc = ctypes.CDLL(None)
        segment = libc.shmget(SHM_KEY, 0, 0)
        if segment >= 0:
            libc.shmctl(segment, IPC_RMID, None)


def lay_out(data: Path) -> Prey:
    """The files of an instance in `data`, and what listens for it."""
    places = {
        "token": data / "token",
        "key": data / "secret",
        "database": data / "gigawatt.db",
        "bundle": data / "bundles" / "others" / "prey.py",
        "artifact": data / "artifacts" / "sha256" / "prey",
    }
    for path in places.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MARK)
        path.chmod(0o600)
    weights = data / "models" / "shared"
    weights.mkdir(parents=True)
    (weights / "weights.bin").write_bytes(b"weights")
    handoff, api = socket.socket(socket.AF_UNIX), socket.create_server(("127.0.0.1", 0))
    handoff.bind(str(data / "handoff.sock"))
    handoff.listen()
    facts = {name: str(path) for name, path in places.items()}
    return Prey(
        data=data,
        token=places["token"],
        secret=MARK,
        weights=weights,
        facts={
            **facts,
            "sockets": [
                str(data / "handoff.sock"),
                str(data / "nodes" / "node-0" / "supervisor.sock"),
            ],
            "port": api.getsockname()[1],
            "abstract": ABSTRACT,
            "shm_key": SHM_KEY,
        },
        sockets=(handoff, api),
    )


async def victim(bench: Bench, prey: Prey, kind: Isolation) -> tuple[AttemptKey, dict[str, Any]]:
    """The other tenant's gang, which runs, and what is to be known of it."""
    checkpoints = prey.data / "work" / "prey" / "checkpoints"
    launch = bench.build(
        sys.executable,
        "-I",
        "-c",
        VICTIM,
        MARK,
        ABSTRACT,
        str(SHM_KEY),
        tenant="prey",
        checkpoint_dir=str(checkpoints),
        secrets=(("PREY", MARK),),
        env=(("PREY_HINT", MARK),),
        isolation=kind,
    )
    key = await bench.launch(launch)
    started: RankStarted = await bench.wait(RankStarted, key=key)
    await bench.wait_for_output(key, "\n")
    told = json.loads(await bench.output(key))
    return key, {**told, "victim_pid": started.pid}
