"""The name spaces of a walled attempt: made once by bubblewrap, held by a process, and entered by all that runs in it.

Every rank, and every command beside one, is started by ours and then goes in: so its output, its terminal, its control
group and how it ends are as without walls.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from gigawatt.engine.supervisor import etc, seccomp, tree, view
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.loop import Loop, Timer
from gigawatt.engine.supervisor.process import Output, Program, StartError, Stdio, spawn
from gigawatt.engine.supervisor.spec import StageSpec, Walls
from gigawatt.engine.supervisor.wire import RequestError
from gigawatt.engine.supervisor.workdir import remove_tree

SPACES = ("pid", "ipc", "uts", "cgroup")
NS_GET_USERNS = 0xB701
MADE_S_MAX = 20.0
SAID_BYTES_MAX = 4096
ENVIRON = {"PATH": "/usr/bin:/bin"}  # of bubblewrap
SHM = Path("/dev/shm")  # noqa: S108 - directories of ours below it, 0700
FILES_MAX = 65_536  # open in one process

PR_CAPBSET_DROP, PR_CAP_AMBIENT, CLEAR_ALL = 24, 47, 4
CAPABILITIES = 64  # more than any kernel has

_libc = ctypes.CDLL(None, use_errno=True)


class Spaces(NamedTuple):
    """Descriptors; `owner` is the user space that owns the others, `user` the one to end up in. 0: none of its own."""

    owner: int
    user: int
    files: int
    others: tuple[int, ...]


class Room:
    def __init__(self, walls: Walls, pids: tuple[int, ...], spaces: Spaces, shm: Path) -> None:
        self.pids = pids  # that hold it, and are nobody's program
        self._walls = walls
        self._spaces = spaces
        self._shm = shm

    def join(self) -> None:
        """In a child of ours: its own children will be in the name spaces. Raises OSError."""
        if self._spaces.owner:
            _setns(self._spaces.owner)
        for space in self._spaces.others:
            _setns(space)

    def settle(self) -> None:
        """In such a child's child: see what is seen there, and no more. Raises OSError."""
        _setns(self._spaces.files)
        if self._spaces.user:
            _setns(self._spaces.user)

    def give_up_rights(self) -> None:
        """The last thing before the program. Raises OSError."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, most), most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _libc.prctl(PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0)
        for number in range(CAPABILITIES):
            _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
        most = self._walls.tasks_max
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
        if self._walls.uid:
            os.setgroups([])
            os.setresgid(*(self._walls.uid,) * 3)
            os.setresuid(*(self._walls.uid,) * 3)
        seccomp.put_on()

    def members(self) -> list[int]:
        """Every process inside, also of programs that have left those who started them."""
        return [pid for pid in tree.descendants(self.pids[:1]) if pid not in self.pids]

    def end(self) -> None:
        """All that is inside ends with it."""
        tree.send(signal.SIGKILL, self.pids)

    def held(self) -> list[int]:
        return [pid for pid in self.pids if tree.identify(pid)]

    def close(self) -> None:
        self.end()
        for fd in {self._spaces.owner, self._spaces.user, self._spaces.files, *self._spaces.others}:
            if fd:
                os.close(fd)
        try:
            remove_tree(self._shm)
        except OSError:
            return  # somebody still writes there: memory of a process that is about to end


def furnish(spec: StageSpec, walls: Walls, own: view.Own) -> None:
    """Make what the view needs, and all that is the attempt's own theirs who run in it. Raises OSError, RequestError."""
    for name in ("tmp", "home", "etc"):
        (own.directory / name).mkdir(mode=0o700, exist_ok=True)
    own.shm.mkdir(mode=0o700, exist_ok=True)
    uid = walls.uid or os.getuid()
    gid = walls.uid or os.getgid()
    home = own.directory / "home"
    (own.directory / "etc" / "passwd").write_text(f"gang:x:{uid}:{gid}::{home}:/bin/sh\n")
    (own.directory / "etc" / "group").write_text(f"gang:x:{gid}:\n")
    for name in ("passwd", "group"):
        (own.directory / "etc" / name).chmod(0o644)
    (own.directory / "etc").chmod(0o755)
    if walls.uid:
        for path in (*_theirs(spec, own), str(own.directory / "tmp"), str(own.shm)):
            _give(path, walls.uid)


def open_room(
    host: Host,
    spec: StageSpec,
    own: view.Own,
    environ: Mapping[str, str],
    done: Callable[[Room | RequestError], None],
) -> None:
    """Call with the room once it is made, or with why it cannot be. Raises OSError."""
    walls = spec.walls
    assert walls is not None
    path = walls.program if "/" in walls.program else find_bubblewrap()
    if not path:
        done(RequestError("machine", f"node {host.node} has no bubblewrap ({walls.program})"))
        return
    etc.refresh(own.etc)
    seccomp.program()  # once for all that is started after it
    words = view.words(spec, walls, own, environ)
    _Making(host.loop, walls, own.shm, done).begin(Program(path, words, ENVIRON, "/"))


def find_bubblewrap() -> str:
    """Where it is; empty where it is not."""
    return shutil.which("bwrap") or ""


class _Making:
    """Waits for the holder to say that its name spaces are there."""

    def __init__(
        self, loop: Loop, walls: Walls, shm: Path, done: Callable[[Room | RequestError], None]
    ) -> None:
        self._loop = loop
        self._walls = walls
        self._shm = shm
        self._done: Callable[[Room | RequestError], None] | None = done
        self._said, self._wrong = bytearray(), bytearray()
        self._outputs = (Output(loop, self._take, _nothing), Output(loop, self._err, _nothing))
        self._pid = 0
        self._timeout: Timer | None = None

    def begin(self, program: Program) -> None:
        """Raises OSError."""
        out, err = self._outputs
        stdio = Stdio(None, out.write_end, err.write_end)
        self._timeout = self._loop.later(MADE_S_MAX, self._overdue)
        self._pid = spawn(self._loop, program, None, stdio, self._started)
        for output in self._outputs:
            output.follow()
        self._loop.child(self._pid, self._ended)

    def _take(self, data: bytes) -> None:
        self._said += data[: SAID_BYTES_MAX - len(self._said)]
        if view.READY.encode() in self._said:
            self._answer(_opened(self._walls, self._pid, self._shm))

    def _err(self, data: bytes) -> None:
        self._wrong += data[: SAID_BYTES_MAX - len(self._wrong)]

    def _started(self, error: StartError | None) -> None:
        if error is not None:
            self._answer(RequestError("machine", f"bubblewrap: {error.detail}"))

    def _overdue(self) -> None:
        tree.send(signal.SIGKILL, tree.descendants([self._pid]))

    def _ended(self, _code: int) -> None:
        for output in self._outputs:
            output.drain()
            output.close()
        why = self._wrong.decode(errors="replace").strip() or "bubblewrap ended at once"
        detail = f"the walls of class {self._walls.kind} could not be made: {why}"
        self._answer(RequestError("machine", detail))

    def _answer(self, result: Room | RequestError) -> None:
        done, self._done = self._done, None
        if self._timeout is not None:
            self._timeout.cancel()
        if done is not None:
            done(result)


def shm_of(instance: str, key: str) -> Path:
    """What its ranks on this node have for shared memory."""
    return SHM / f"gigawatt-{instance[:16]}-{key}"


def _opened(walls: Walls, pid: int, shm: Path) -> Room | RequestError:
    pids = tuple(tree.descendants([pid]))
    if len(pids) < 2:
        return RequestError("machine", "bubblewrap ended as soon as it was ready")
    try:
        return Room(walls, pids, _spaces(pids[1]), shm)
    except OSError as error:
        return RequestError("machine", f"the walls cannot be entered: {error}")


def _spaces(pid: int) -> Spaces:
    """Raises OSError."""
    files = _open(pid, "mnt")
    owner, user = fcntl.ioctl(files, NS_GET_USERNS), _open(pid, "user")
    others = tuple(_open(pid, name) for name in SPACES)
    same = _same(owner, user)
    if _same(user, "/proc/self/ns/user"):
        os.close(owner)
        os.close(user)
        return Spaces(0, 0, files, others)
    if same:
        os.close(user)
    return Spaces(owner, 0 if same else user, files, others)


def _open(pid: int, name: str) -> int:
    return os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)


def _same(first: int, second: int | str) -> bool:
    one = os.fstat(first)
    other = os.fstat(second) if isinstance(second, int) else Path(second).stat()
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _setns(fd: int) -> None:
    if _libc.setns(fd, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _theirs(spec: StageSpec, own: view.Own) -> list[str]:
    """Ours to give: volumes at paths of the operator's have the owners that they have."""
    kept = {each.source for each in spec.volumes if not each.ours}
    written = (path for path in view.written(spec, own.directory) if path not in kept)
    return [*written, str(own.secrets)]


def _give(path: str, uid: int) -> None:
    """All below, links themselves and not what they lead to, and at last itself: what is theirs already is not looked
    through again, as they may change it at the same time. Raises OSError.
    """
    if Path(path).lstat().st_uid == uid:
        return
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _give(entry.path, uid)
            elif entry.stat(follow_symlinks=False).st_nlink == 1:
                os.lchown(entry.path, uid, uid)
    os.lchown(path, uid, uid)


def _nothing() -> None:
    """The pipe has ended; its process's end is what counts."""
