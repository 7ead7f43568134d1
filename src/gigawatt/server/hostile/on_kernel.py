"""Attacks on the kernel and by the network. Part of the hostile program: standard library only."""

import ctypes
import errno
import os
import platform
import socket
from collections.abc import Callable
from pathlib import Path

from gigawatt.server.hostile.program import FACTS, SucceededError, attack

NEW_USER_SPACE = 0x10000000
NUMBERS = {
    "x86_64": {
        "keyctl": 250,
        "add_key": 248,
        "bpf": 321,
        "perf_event_open": 298,
        "userfaultfd": 323,
        "init_module": 175,
        "finit_module": 313,
        "kexec_load": 246,
        "syslog": 103,
    },
    "aarch64": {
        "keyctl": 219,
        "add_key": 217,
        "bpf": 280,
        "perf_event_open": 241,
        "userfaultfd": 282,
        "init_module": 105,
        "finit_module": 273,
        "kexec_load": 104,
        "syslog": 116,
    },
}
IO_URING_SETUP, CLONE3 = 425, 435

_libc = ctypes.CDLL(None, use_errno=True)


@attack
def mount() -> str:
    Path("over").mkdir()
    try:
        return _refused("mount", lambda: _libc.mount(b"none", b"over", b"tmpfs", 0, None))
    finally:
        _libc.umount2(b"over", 2)


@attack
def chroot() -> str:
    return _refused("chroot", lambda: _libc.chroot(b"."))


@attack
def enter_name_spaces() -> str:
    said: list[str] = []
    for pid in (1, FACTS["victim_pid"]):
        for name in ("mnt", "pid", "net", "user"):
            try:
                fd = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
            except OSError as error:
                said.append(error.strerror or "")
                continue
            said.append(_refused("setns", lambda fd=fd: _libc.setns(fd, 0)))
    return ", ".join(dict.fromkeys(said))


@attack
def user_name_space() -> str:
    first = _refused("unshare", lambda: _libc.unshare(NEW_USER_SPACE))
    return f"{first}; clone3: {_refused('clone3', lambda: _libc.syscall(CLONE3, None, 0))}"


@attack
def keyrings() -> str:
    first = _refused("keyctl", lambda: _call("keyctl", 0, -4, 1))
    kind, name = ctypes.c_char_p(b"user"), ctypes.c_char_p(b"prey")
    return f"{first}; {_refused('add_key', lambda: _call('add_key', kind, name, name, 4, -4))}"


@attack
def kernel_doors() -> str:
    tried = [
        _refused(name, lambda name=name: _call(name, 0, None, 0, 0, 0))
        for name in ("bpf", "perf_event_open")
    ]
    tried.append(_refused("userfaultfd", lambda: _call("userfaultfd", 1)))
    room = ctypes.create_string_buffer(256)
    tried.append(_refused("io_uring", lambda: _libc.syscall(IO_URING_SETUP, 4, room)))
    return ", ".join(dict.fromkeys(tried))


@attack
def kernel_code() -> str:
    names = ("init_module", "finit_module", "kexec_load")
    return ", ".join(
        _refused(name, lambda name=name: _call(name, -1, 0, None, 0)) for name in names
    )


@attack
def kernel_memory() -> str:
    said: list[str] = []
    for path in ("/proc/kcore", "/dev/mem", "/dev/kmsg", "/dev/port"):
        try:
            with Path(path).open("rb") as file:
                if file.read(4):
                    raise SucceededError(f"{path} was read")
        except OSError as error:
            said.append(error.strerror or "")
    room = ctypes.create_string_buffer(256)
    said.append(_refused("syslog", lambda: _call("syslog", 3, room, 256)))
    return ", ".join(dict.fromkeys(said))


@attack
def kernel_settings() -> str:
    """They are opened and never written."""
    said: list[str] = []
    for path in (
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/proc/sys/vm/drop_caches",
    ):
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError as error:
            said.append(error.strerror or "")
        else:
            raise SucceededError(f"{path} can be written")
    return ", ".join(dict.fromkeys(said))


@attack
def control_groups() -> str:
    for root, directories, names in os.walk("/sys/fs/cgroup"):
        del directories[8:]
        for name in names:
            if name in {
                "cgroup.procs",
                "memory.max",
                "memory.limit_in_bytes",
                "pids.max",
            } and os.access(f"{root}/{name}", os.W_OK):
                raise SucceededError(f"{root}/{name} can be written")
    return "no control group is seen"


@attack
def control_sockets() -> str:
    return _connected(FACTS["sockets"])


@attack
def system_sockets() -> str:
    places = ["/run/dbus/system_bus_socket", "/run/docker.sock", "/run/systemd/private"]
    return _connected([*places, "/run/containerd/containerd.sock", "/run/user/0/bus"])


@attack
def port_in_use() -> str:
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        for host in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - as an attacker would
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, option, 1)
                try:
                    sock.bind((host, FACTS["port"]))
                    sock.listen()
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                    continue
                raise SucceededError(f"port {FACTS['port']} was taken on {host}")
    return "it is in use"


@attack
def others_shared_memory() -> str:
    found = [path.name for path in Path("/dev/shm").iterdir() if "prey" in path.name]  # noqa: S108 - where it would be
    if found:
        raise SucceededError(f"{found} are seen")
    if _libc.shmget(FACTS["shm_key"], 0, 0) >= 0:
        raise SucceededError("another's segment was found")
    return "neither files nor segments of others are seen"


@attack
def abstract_socket() -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(f"\0{FACTS['abstract']}")
    raise SucceededError("another's abstract socket took the connection")


@attack
def others_port() -> str:
    with socket.create_server(("127.0.0.1", FACTS["victim_port"])):
        raise SucceededError("it listens where another gang will meet")


def _connected(places: list[str]) -> str:
    said: list[str] = []
    for place in places:
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(place)
            except OSError as error:
                said.append(error.strerror or str(error))
            else:
                raise SucceededError(f"{place} took the connection")
    return ", ".join(dict.fromkeys(said))


def _call(name: str, *arguments: object) -> int:
    return _libc.syscall(NUMBERS[platform.machine()][name], *arguments)


def _refused(name: str, call: Callable[[], int]) -> str:
    """Refused as such; an answer about its arguments means that it was listened to."""
    ctypes.set_errno(0)
    if call() >= 0:
        raise SucceededError(f"{name} was done")
    number = ctypes.get_errno()
    if number not in {errno.EPERM, errno.ENOSYS, errno.EACCES}:
        raise SucceededError(f"{name} is open: {os.strerror(number)}")
    return f"{name}: {os.strerror(number)}"
