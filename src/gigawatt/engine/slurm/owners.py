"""Files of other users, touched as those users: what a link of theirs leads to is what they may read themselves."""

import ctypes
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError

PASS = stat.S_IXGRP | stat.S_IXOTH
ADD = stat.S_ISVTX | 0o733

_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def as_owner(root: Path, path: Path) -> Generator[None]:
    """What this thread does to files meanwhile, it does as the user that has the first directory on the way from `root`
    to `path` which is not ours. Down to there nobody but us can have put anything.

    Only this thread and only its access to files: Linux keeps them apart (setfsuid(2)).
    """
    owner = _owner(root, path)
    if owner is None:
        yield
        return
    uid, gid = owner
    ours = os.geteuid(), os.getegid()
    _LIBC.setfsgid(gid)
    _LIBC.setfsuid(uid)
    try:
        yield
    finally:
        _LIBC.setfsuid(ours[0])
        _LIBC.setfsgid(ours[1])


def become_giver() -> None:
    """Be able to give files to other users, and to read theirs with nothing that is ours. Raises RefusalError."""
    if os.geteuid() != 0:
        raise RefusalError(
            RefusalCode.INVALID,
            "jobs of several Unix users need a control plane that runs as root",
            field="slurm_users",
            hint="run it as root, or leave GIGAWATT_SLURM_USERS empty",
        )
    os.setgroups([])


def give(path: Path, uid: int, gid: int) -> None:
    """A directory for that user alone. Raises OSError, also where it is there and somebody else's."""
    try:
        path.mkdir(mode=0o700)
        os.chown(path, uid, gid, follow_symlinks=False)
    except FileExistsError:
        status = path.lstat()
        if status.st_uid != uid:
            raise PermissionError(1, "it belongs to somebody else", str(path)) from None


def let_pass(path: Path, top: Path) -> None:
    """Others may go through the directories from `top` down to `path`, and see nothing of what is in them. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    for each in (top, *(top / above for above in reversed(path.relative_to(top).parents)), path):
        mode = each.stat().st_mode
        if mode & PASS != PASS:
            each.chmod(stat.S_IMODE(mode) | PASS)


def let_add(path: Path) -> None:
    """Others may make files and directories there and remove their own, and do not see what else there is."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(ADD)


def _owner(root: Path, path: Path) -> tuple[int, int] | None:
    ours = os.geteuid()
    here = root
    for part in path.relative_to(root).parts:
        here /= part
        try:
            status = here.lstat()
        except FileNotFoundError:
            return None
        if status.st_uid != ours:
            return status.st_uid, status.st_gid
    return None
