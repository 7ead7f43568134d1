"""Run a command within a time limit, and fail if it leaves a process behind: `reaped.py MINUTES COMMAND...`.

Whatever the command starts is handed to this process when its own parent ends, however it was started (sessions of
their own and emptied environments included), so nothing can hide. What is left at the end is named, killed, and
makes the exit status 1. Linux only; standard library only, because it runs before anything is installed.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

_SET_CHILD_SUBREAPER = 36  # prctl(2)
_GRACE_S = 5.0  # what is on its way out may take this long
_OVERTIME = 124  # exit status, as of timeout(1)


class OvertimeError(Exception):
    """The limit is reached."""


def main(argv: list[str]) -> int:
    """The command's exit status; 1 if it left something behind; 124 if it was stopped at the limit."""
    limit_s = float(argv[0]) * 60
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, _overtime)
    signal.signal(signal.SIGTERM, _terminated)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    command = os.posix_spawnp(argv[1], argv[1:], os.environ)
    try:
        status = _reap_until(command)
        signal.setitimer(signal.ITIMER_REAL, 0)
        left = _left_after(_GRACE_S)
    except OvertimeError:
        status, left = _OVERTIME, []
        _say(f"stopped at the limit of {limit_s / 60:g} minutes")
    finally:
        _kill_all()
    for pid, line in left:
        _say(f"left behind: {pid} {line}")
    return status or int(bool(left))


def _overtime(*_: object) -> None:
    raise OvertimeError


def _terminated(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)


def _reap_until(command: int) -> int:
    """Collect every child that ends, adopted ones at once, until `command` has; its exit status as a shell's."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == command:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _left_after(grace_s: float) -> list[tuple[int, str]]:
    deadline = time.monotonic() + grace_s
    while (left := _children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _kill_all() -> None:
    """Children first, then those that their end hands to us, until there is none."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    while left := _children():
        for pid, _ in left:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(-1, 0)


def _children() -> list[tuple[int, str]]:
    """Pid and command line of each child that has not ended; ended ones are collected."""
    while _collected():
        pass
    pids = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [(int(pid), _command_line(pid)) for pid in pids]


def _collected() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _command_line(pid: str) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b" ".join(words).decode(errors="replace").strip()


def _say(line: str) -> None:
    print(f"reaped: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
