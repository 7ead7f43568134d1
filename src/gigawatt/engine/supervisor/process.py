"""Starting one process and following it: its start, its output, its end."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import termios
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn, Protocol

from gigawatt.engine.supervisor import tree
from gigawatt.engine.supervisor.limits import Cell
from gigawatt.engine.supervisor.loop import READ, Loop

READ_BYTES = 1 << 18
OWN_STEPS = ("session", "output", "limits", "isolation")
READS_AT_EXIT = 64  # of what is still in the pipe when the process has ended

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

USERS_ERRORS = frozenset(
    {errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.ELOOP, errno.E2BIG}
)

_files_at_start = resource.getrlimit(resource.RLIMIT_NOFILE)
_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Walled(Protocol):
    """The name spaces of an attempt, as `engine.supervisor.room` makes them. All raise OSError."""

    def join(self) -> None: ...

    def settle(self) -> None: ...

    def give_up_rights(self) -> None: ...


class Program(NamedTuple):
    """What to run. `path` is the executable that was found; `argv[0]` stays as it was written. In a room, whoever was
    started waits outside for the program, and ends as it does.
    """

    path: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    directory: str
    room: Walled | None = None


class StartError(NamedTuple):
    """`step` is what the child was doing; its own machinery, or the program's directory or name."""

    number: int
    step: str

    @property
    def detail(self) -> str:
        return f"{self.step}: {os.strerror(self.number)}"

    @property
    def is_users(self) -> bool:
        """The request cannot be started at all, here or elsewhere."""
        return self.number in USERS_ERRORS and self.step not in OWN_STEPS


class Stdio(NamedTuple):
    """The descriptors that a process begins with. Without a `stdin` there is nothing to read; a terminal becomes the
    one that controls it.
    """

    stdin: int | None
    stdout: int
    stderr: int
    terminal: bool = False


class Output:
    """What comes from a process, through a pipe or the given ends of a terminal, pumped as it arrives."""

    def __init__(
        self,
        loop: Loop,
        take: Callable[[bytes], None],
        done: Callable[[], None],
        ends: tuple[int, int] | None = None,
    ) -> None:
        self._loop = loop
        self._take = take
        self._done = done
        self._fd, self.write_end = ends or os.pipe2(os.O_CLOEXEC)

    def follow(self) -> None:
        """In the parent, once the child has its end."""
        os.close(self.write_end)
        os.set_blocking(self._fd, False)
        self._loop.watch(self._fd, READ, self._readable)

    def drain(self) -> None:
        """Take what is there now: the writer has ended, others may hold the pipe open."""
        for _ in range(READS_AT_EXIT):
            if self._fd < 0 or not self._read():
                return

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._done()

    def _readable(self, _events: int) -> None:
        self._read()

    def _read(self) -> bool:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""  # nobody has the other end of the terminal any more
        if not data:
            self.close()
            return False
        self._take(data)
        return True


def let_go_of_inherited() -> None:
    """Descriptors of whoever started us: a pipe of theirs must not stay open as long as we live."""
    with os.scandir("/proc/self/fd") as entries:
        inherited = [int(entry.name) for entry in entries if int(entry.name) > 2]
    for fd in inherited:
        try:
            os.close(fd)
        except OSError:
            continue  # it was the listing itself


def detach() -> None:
    """Be nobody's child: whoever started us may end all that it has started, and we stay."""
    if os.fork():
        os._exit(0)
    os.setsid()


def become_subreaper() -> None:
    """Processes that lose their parent below us become our children."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def allow_many_files() -> None:
    """Every rank takes half a dozen descriptors of ours. Ranks themselves get the limit that we started with."""
    hard = _files_at_start[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def spawn(
    loop: Loop,
    program: Program,
    cell: Cell | None,
    stdio: Stdio,
    on_start: Callable[[StartError | None], None],
) -> int:
    """Start a process of its own session, which dies with us; its pid. `on_start` is called when it runs, or cannot.

    Raises OSError where no process can be made.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(program, cell, stdio, parent=parent, failure=write_end)
    os.close(write_end)

    def started(_: int) -> None:
        loop.unwatch(read_end)
        told = os.read(read_end, 4096).decode()
        os.close(read_end)
        code, _space, step = told.partition(" ")
        on_start(StartError(int(code), step) if told else None)

    loop.watch(read_end, READ, started)
    return pid


def leader_of(pid: int, *, walled: bool) -> int:
    """The program itself, which leads its session, of what `spawn` has started."""
    below = tree.children(pid) if walled else []
    return below[0] if below else pid


def in_child(loop: Loop, work: Callable[[], None], done: Callable[[str], None]) -> None:
    """Do slow file work in a child, so that no rank waits for it; `done` gets its error or "".

    Raises OSError where no process can be made.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _work(work, parent=parent, write_end=write_end)
    os.close(write_end)

    def ended(code: int) -> None:
        error = os.read(read_end, 4096).decode(errors="replace")
        os.close(read_end)
        done(error or ("" if code == 0 else f"the helper ended with {code}"))

    loop.child(pid, ended)


def _work(work: Callable[[], None], *, parent: int, write_end: int) -> None:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        _die_with(parent)
        work()
        code = 0
    except OSError as error:
        os.write(write_end, str(error).encode()[:4096])
    finally:
        os._exit(code)


def _become(
    program: Program,
    cell: Cell | None,
    stdio: Stdio,
    *,
    parent: int,
    failure: int,
) -> None:
    """In the child: never returns."""
    step = "session"
    try:
        os.setsid()
        _die_with(parent)
        _ordinary_signals()
        if program.room is not None:
            step = "limits"
            if cell is not None:
                cell.enter()
            step = "isolation"
            _go_in(program.room, parent=parent)
        step = "output"
        if stdio.terminal:
            fcntl.ioctl(stdio.stdout, termios.TIOCSCTTY, 0)
        stdin = os.open(os.devnull, os.O_RDONLY) if stdio.stdin is None else stdio.stdin
        for number, fd in enumerate((stdin, stdio.stdout, stdio.stderr)):
            os.dup2(fd, number)
        step = "limits"
        if cell is not None and program.room is None:
            cell.enter()
        step = f"directory {program.directory}"
        os.chdir(program.directory)
        if program.room is not None:
            step = "isolation"
            program.room.give_up_rights()
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # other rights have undone it
        step = program.argv[0]
        os.execve(program.path, program.argv, program.environ)  # noqa: S606 - running programs is what we are for
    except OSError as error:
        os.write(failure, f"{error.errno or 5} {step}".encode())
    finally:
        os._exit(127)


def _go_in(room: Walled, *, parent: int) -> None:
    """Returns in a child that is inside; this process waits for it, deaf to what ends others, and ends as it does."""
    room.join()
    _die_with(parent)
    everything = signal.valid_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, everything)
    pid = os.fork()
    if pid:
        _end_like(pid)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    room.settle()
    os.setsid()


def _end_like(pid: int) -> NoReturn:
    """Hold nothing open meanwhile that others wait for to be closed."""
    let_go_of_inherited()
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(-code, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _die_with(parent: int) -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked to end with it
        os._exit(1)


def _ordinary_signals() -> None:
    """Undo what Python ignores and what we changed: a rank starts as from a shell."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_NOFILE, _files_at_start)
