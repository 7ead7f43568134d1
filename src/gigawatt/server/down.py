"""`gw down`: stop the instance of one directory, and only that one. What is left of a dead one is cleared too."""

import asyncio
import os
import signal
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server.gateway import stop_gateway, wait_for_end
from gigawatt.server.instance import forget_instance
from gigawatt.server.preflight import take_lock

STOP_TIMEOUT_S = 60.0  # gangs get their own graces within it


def down(data: Path, *, keep_running: bool = False) -> int:
    """Stop the control plane, its gangs and its gateway; with `keep_running` the gangs go on.

    Stopping what does not run is no error. Raises RefusalError when it does not end in time.
    """
    if not (data / "instance.lock").exists():
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"no gigawatt was ever started on {data}", field="data"
        )
    pid = _running_pid(data)
    if pid is not None:
        _end(pid, signal.SIGUSR2 if keep_running else signal.SIGTERM, data)
    if not keep_running:
        _clear(data)
    return 0


def _running_pid(data: Path) -> int | None:
    """The pid that holds the lock, if any: a stale file is not taken for a running instance."""
    try:
        os.close(take_lock(data))
    except RefusalError:
        pid = int((data / "instance.lock").read_text() or 0)
        return pid or None
    return None


def _end(pid: int, how: signal.Signals, data: Path) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, how)
        if not wait_for_end(pidfd, STOP_TIMEOUT_S):
            raise RefusalError(
                RefusalCode.UNAVAILABLE,
                f"the control plane (pid {pid}) has not ended in {STOP_TIMEOUT_S:.0f} s",
                hint=f"see {data / 'logs' / 'control-plane.log'}",
            )
    finally:
        os.close(pidfd)


def _clear(data: Path) -> None:
    """After a control plane that was killed: end its gateway, its supervisors and their ranks."""
    from gigawatt.engine.local import shut_down_supervisors
    from gigawatt.engine.ray.ending import shut_down_cluster
    from gigawatt.engine.slurm import shut_down_jobs
    from gigawatt.server.slurm import slurm_of
    from gigawatt.settings import from_environment

    lock = take_lock(data)
    try:
        stop_gateway(data)
        asyncio.run(shut_down_supervisors(data))
        asyncio.run(shut_down_cluster(data))
        asyncio.run(shut_down_jobs(data, slurm_of(from_environment())))
        forget_instance(data)
    finally:
        os.close(lock)
