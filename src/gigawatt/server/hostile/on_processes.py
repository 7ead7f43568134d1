"""Attacks on processes and limits. Part of the hostile program: standard library only."""

import ctypes
import fcntl
import os
import resource
import signal
import sys
import termios
from pathlib import Path

from gigawatt.server.hostile.program import FACTS, SucceededError, attack

MEMORY_BYTES = 512 << 20  # at most, in steps
STEP_BYTES = 4 << 20
FLOOD_BYTES = 24 << 20
DISK_BYTES = 4 << 20
FILES = 512
PTRACE_ATTACH = 16

_libc = ctypes.CDLL(None, use_errno=True)


class _Span(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@attack
def others_processes() -> str:
    pids = _seen_pids()
    strangers = [pid for pid in pids if FACTS["mark"] in _of(pid, "cmdline")]
    if strangers or len(pids) > 16:
        raise SucceededError(f"{len(pids)} processes are seen")
    return f"{len(pids)} processes are seen, all its own"


@attack
def others_environment() -> str:
    for pid in _all_pids():
        if FACTS["mark"] in _of(pid, "environ"):
            raise SucceededError(f"the environment of process {pid} was read")
    return "no process shows anything of others"


@attack
def others_memory() -> str:
    pid = FACTS["victim_pid"]
    buffer = ctypes.create_string_buffer(8)
    span = _Span(ctypes.cast(buffer, ctypes.c_void_p), 8)
    there = _Span(FACTS["victim_address"], 8)
    count = _libc.process_vm_readv(pid, ctypes.byref(span), 1, ctypes.byref(there), 1, 0)
    if count > 0:
        raise SucceededError("another's memory was read")
    if _libc.ptrace(PTRACE_ATTACH, pid, None, None) == 0:
        raise SucceededError("another's process is being traced")
    with Path(f"/proc/{pid}/mem").open("rb") as file:
        file.seek(FACTS["victim_address"])
        raise SucceededError(f"{len(file.read(8))} bytes of another's memory were read")


@attack
def signal_others() -> str:
    os.kill(FACTS["victim_pid"], signal.SIGCONT)
    raise SucceededError("another's process was signalled")


@attack
def debug_terminal() -> str:
    _, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSTI, b"x")
    raise SucceededError("a key was typed for somebody else")


@attack
def core_dump() -> str:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    except ValueError as error:
        return str(error)
    raise SucceededError("core files can be had")


@attack
def fork_bomb() -> str:
    children: list[int] = []
    try:
        while len(children) < 4 * FACTS["tasks_max"]:
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            children.append(pid)
    except OSError as error:
        return f"{error.strerror} after {len(children)} processes"
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    raise SucceededError(f"{len(children)} processes ran at once")


@attack
def memory_bomb() -> str:
    """Where it is killed for it, whoever runs us sees that."""
    held: list[bytearray] = []
    while len(held) * STEP_BYTES < MEMORY_BYTES:
        held.append(bytearray(b"x" * STEP_BYTES))
    raise SucceededError(f"{len(held) * STEP_BYTES >> 20} MiB were taken")


@attack
def file_descriptors() -> str:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > FACTS["files_max"]:
        raise SucceededError(f"{hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))
    except ValueError:
        return f"{hard} open files, and no more"
    raise SucceededError("the limit can be raised")


@attack
def log_flood() -> str:
    """Whoever runs us looks at what is kept."""
    line = "flood " * 200 + "\n"
    for _ in range(FLOOD_BYTES // len(line)):
        sys.stdout.write(line)
    sys.stdout.flush()
    return f"{FLOOD_BYTES >> 20} MiB were written"


@attack
def disk_fill() -> str:
    with Path("fill").open("wb") as file:
        file.write(b"x" * DISK_BYTES)
    raise SucceededError(f"{DISK_BYTES >> 20} MiB were written, and nothing counts them")


@attack
def file_flood() -> str:
    Path("many").mkdir()
    for number in range(FILES):
        Path("many", str(number)).touch()
    raise SucceededError(f"{FILES} files were made, and nothing counts them")


def _all_pids() -> list[int]:
    return sorted({*_seen_pids(), FACTS["victim_pid"]})


def _seen_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _of(pid: int, name: str) -> str:
    if pid == os.getpid():
        return ""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except OSError:
        return ""
