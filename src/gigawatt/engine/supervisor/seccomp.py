"""What a walled program may not ask of the kernel, as a filter that it cannot take off again.

A short list of refusals and not of permissions: CUDA, NCCL and debuggers ask for much that no list foresees, and the
name spaces and the lack of capabilities are what holds. What is refused is what has been the way out of them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from functools import lru_cache

REFUSED = (
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "setns",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "syslog",
    "settimeofday",
    "clock_settime",
    "quotactl",
    "quotactl_fd",
    "open_by_handle_at",
    "fanotify_init",
    "iopl",
    "ioperm",
)
ABSENT = (
    "clone3",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
)  # programs go on without
NEW_USER_SPACE = 0x10000000  # CLONE_NEWUSER
FAKED_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: keys typed into a terminal that others read
SOCKETS_REFUSED = (
    38,
    40,
)  # AF_ALG, AF_VSOCK: the kernel's ciphers, and the host of a virtual machine

COMMON = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "mount_setattr": 442,
    "quotactl_fd": 443,
}
X86_64 = {
    "ioctl": 16,
    "socket": 41,
    "clone": 56,
    "syslog": 103,
    "pivot_root": 155,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "delete_module": 176,
    "quotactl": 179,
    "clock_settime": 227,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "unshare": 272,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "open_by_handle_at": 304,
    "setns": 308,
    "finit_module": 313,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
    **COMMON,
}
AARCH64 = {
    "ioctl": 29,
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "chroot": 51,
    "quotactl": 60,
    "acct": 89,
    "unshare": 97,
    "kexec_load": 104,
    "init_module": 105,
    "delete_module": 106,
    "clock_settime": 112,
    "syslog": 116,
    "reboot": 142,
    "settimeofday": 170,
    "socket": 198,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "clone": 220,
    "swapon": 224,
    "swapoff": 225,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "open_by_handle_at": 265,
    "setns": 268,
    "finit_module": 273,
    "bpf": 280,
    "userfaultfd": 282,
    "kexec_file_load": 294,
    **COMMON,
}
MACHINES = {"x86_64": (0xC000003E, X86_64), "aarch64": (0xC00000B7, AARCH64)}  # AUDIT_ARCH_*

NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24  # offsets in seccomp_data
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF operations
ALLOW, ERROR = 0x7FFF0000, 0x00050000
X32 = 0x40000000  # numbers of another way to call this kernel
EPERM, ENOSYS = ERROR | errno.EPERM, ERROR | errno.ENOSYS

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2

_prctl = ctypes.CDLL(None, use_errno=True).prctl


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filter_of(machine: str) -> bytes:
    """The program for a kind of machine, as `uname -m` names it. Raises KeyError for one that is not known."""
    architecture, numbers = MACHINES[machine]
    code = [_op(LOAD, ARCHITECTURE), *_if(EQUAL, architecture, [], [_op(RETURN, EPERM)])]
    code += [_op(LOAD, NUMBER), *_if(AT_LEAST, X32, [_op(RETURN, EPERM)], [])]
    for name in REFUSED:
        if name in numbers:
            code += _if(EQUAL, numbers[name], [_op(RETURN, EPERM)], [])
    for name in ABSENT:
        code += _if(EQUAL, numbers[name], [_op(RETURN, ENOSYS)], [])
    for name in ("clone", "unshare"):
        refuse = _if(ANY_BIT, NEW_USER_SPACE, [_op(RETURN, EPERM)], [])
        code += _if(EQUAL, numbers[name], _argument(FIRST, refuse), [])
    code += _if(EQUAL, numbers["ioctl"], _argument(SECOND, _refused(FAKED_INPUT)), [])
    code += _if(EQUAL, numbers["socket"], _argument(FIRST, _refused(SOCKETS_REFUSED)), [])
    return b"".join([*code, _op(RETURN, ALLOW)])


@lru_cache(maxsize=1)
def program() -> bytes:
    """Of this machine. Raises KeyError."""
    return filter_of(os.uname().machine)


def put_on() -> None:
    """From here on for this process and all that it starts, what its programs are allowed for their files included.

    Raises OSError.
    """
    code = program()
    filtering = _Program(len(code) // 8, code)
    _check(_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(_prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(filtering), 0, 0))


def _refused(values: tuple[int, ...]) -> list[bytes]:
    return [op for value in values for op in _if(EQUAL, value, [_op(RETURN, EPERM)], [])]


def _argument(offset: int, code: list[bytes]) -> list[bytes]:
    """The low half of an argument is looked at, and what is not refused is allowed."""
    return [_op(LOAD, offset), *code, _op(RETURN, ALLOW)]


def _if(operation: int, value: int, then: list[bytes], otherwise: list[bytes]) -> list[bytes]:
    """One of `then` and `otherwise` is empty; both end with a return."""
    return [_op(operation, value, len(otherwise), len(then)), *then, *otherwise]


def _op(operation: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, yes, no, value)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"the system call filter: {os.strerror(number)}")
