"""Starting a supervisor: detached, so that it outlives us, and known to be ready when this returns."""

import asyncio
import os
import sys
from pathlib import Path

from gigawatt.engine import supervisor

READY_S_MAX = 30.0  # it first ends what a killed predecessor left
PROGRAM = Path(supervisor.__file__).parent / "__main__.py"


class SupervisorError(Exception):
    """A supervisor could not be started, or does not answer as one."""


async def start_supervisor(
    node_dir: Path, *, node: str, instance: str, log: Path, orphan_s: float
) -> int:
    """Its pid, once it listens; 0 when another one already holds the node. Raises SupervisorError."""
    read_end, write_end = os.pipe()
    try:
        pid = _spawn(node_dir, node, instance, log, orphan_s=orphan_s, stdout=write_end)
    except OSError as error:
        os.close(read_end)
        raise SupervisorError(f"the supervisor of {node} cannot be started: {error}") from error
    finally:
        os.close(write_end)
    said = await _first_line(read_end, node)
    if said == "ready":
        return pid
    reap(pid)
    if said == "locked":
        return 0
    raise SupervisorError(f"the supervisor of {node} did not start: {said or 'it said nothing'}")


def reap(pid: int) -> None:
    """Take the exit status of a supervisor of ours that has ended; any other's is not ours to take."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _spawn(
    node_dir: Path, node: str, instance: str, log: Path, *, orphan_s: float, stdout: int
) -> int:
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    argv = [sys.executable, "-I", "-S", str(PROGRAM), "--dir", str(node_dir), "--node", node]
    argv += ["--instance", instance, "--orphan-s", str(orphan_s)]
    environ = {name: value for name, value in os.environ.items() if name[:9] != "GIGAWATT_"}
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        argv,
        environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_OPEN, 2, str(log), append, 0o600),
        ],
        setsid=True,
    )


async def _first_line(fd: int, node: str) -> str:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    pipe = os.fdopen(fd, "rb", 0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        async with asyncio.timeout(READY_S_MAX):
            line = await reader.readline()
    except TimeoutError:
        raise SupervisorError(
            f"the supervisor of {node} is not ready after {READY_S_MAX:g} s"
        ) from None
    finally:
        transport.close()
    return line.decode(errors="replace").strip()
