"""What a walled attempt sees of its machine, as the words for bubblewrap.

In this order, as what comes later lies over what came before: the system, read-only; the Pythons that it may run with;
what the operator shows; over that, nothing where what is to be hidden is; then what is the attempt's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from gigawatt.engine.supervisor import etc
from gigawatt.engine.supervisor.spec import StageSpec, Walls

SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Of /proc, what the machine's root may write by the rights of files alone, without a capability. Bubblewrap leaves
# these as they are where it has none itself.
SEALED = ("acpi", "bus", "fs", "irq", "scsi", "sys", "sysrq-trigger")
GPU_SYSTEM = ("bus", "class", "dev", "devices", "module")  # of /sys
GPU_DEVICES = (
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia-caps",
    "kfd",
    "dri",
    "infiniband",
)
NVIDIA = Path("/proc/driver/nvidia/gpus")  # a directory each, with a file that tells uuid and minor
READY = "ready"
HOLDER = f"echo {READY}; exec sleep infinity"
APART = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")


class Own(NamedTuple):
    """The attempt's own directories on this node."""

    directory: Path
    python: Path  # with the rank module
    shm: Path  # as /dev/shm, for ranks of one node to share memory
    etc: Path  # of the node, as `etc.refresh` keeps it
    secrets: Path  # a file for each, in memory or on the disk


def words(spec: StageSpec, walls: Walls, own: Own, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The command of the process that holds the name spaces as long as it lives, and says when they are made."""
    shown = [*_interpreters(spec, environ), *((path, False) for path in _system())]
    shown += [(each.path, each.writable) for each in walls.shows]
    argv = [walls.program, *APART, "--die-with-parent", "--cap-drop", "ALL"]
    argv += () if walls.uid else ("--unshare-user",)
    argv += (*_links(), "--perms", "0755", "--dir", "/var")
    for path in ("/tmp", "/var/tmp"):  # noqa: S108 - the attempt's own
        argv += ("--bind", str(own.directory / "tmp"), path)
    places = _Places([], [])
    for path, writable in shown:
        argv += places.bind(path, writable=writable)
    argv += _etc(own)
    argv += ("--proc", "/proc", "--dev", "/dev")
    for name in SEALED:
        argv += ("--ro-bind-try", f"/proc/{name}", f"/proc/{name}")
    argv += places.bind("/sys/devices/system", writable=False)
    argv += _devices(spec)
    argv += places.hide(walls.hides)
    argv += ("--bind", str(own.shm), "/dev/shm")  # noqa: S108 - as programs know it
    for path, writable in _own(spec, own):
        argv += places.bind(path, writable=writable)
    return (*argv, "--remount-ro", "/", "--chdir", "/", "--", "/bin/sh", "-c", HOLDER)


def visible(path: str, spec: StageSpec, walls: Walls, own: Own) -> bool:
    """Whether ranks see the directory that is at this path of the machine, and not another."""
    within = [str(own.directory / "work"), *(each for each, _ in _own(spec, own))]
    if any(_below(path, each) for each in within):
        return True
    hidden = any(_below(path, each) for each in walls.hides)
    return not hidden and any(_below(path, each) for each in (*_system(), *_shows(walls)))


def written(spec: StageSpec, directory: Path) -> list[str]:
    """The directories in which ranks may write what others then take for theirs."""
    return [path for path, writable in _given(spec, directory) if writable]


def _own(spec: StageSpec, own: Own) -> list[tuple[str, bool]]:
    given = _given(spec, own.directory)
    return [*given, (str(own.secrets), False), (str(own.python), False)]


def _given(spec: StageSpec, directory: Path) -> list[tuple[str, bool]]:
    given = [(str(directory / name), True) for name in ("work", "report", "home")]
    read = (spec.environment, spec.tools, spec.model_path)
    given += [(path, False) for path in read if path]
    given += [(path, True) for path in (spec.home, spec.checkpoint_dir) if path]
    if spec.resume_path and not _below(spec.resume_path, spec.checkpoint_dir):
        given.append((spec.resume_path, False))
    return given + [(each.source, each.writable) for each in spec.volumes]


def _shows(walls: Walls) -> Iterator[str]:
    return (each.path for each in walls.shows)


def _system() -> list[str]:
    return ["/usr", *(f"/{name}" for name in SYSTEM if _is_plain(Path("/", name)))]


def _links() -> list[str]:
    found: list[str] = []
    for name in SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            found += ("--symlink", str(path.readlink()), str(path))
    return found


def _etc(own: Own) -> list[str]:
    found = ["--ro-bind", str(own.etc), "/etc"]
    for name in etc.DIRECTORIES:
        if (own.etc / name).is_dir():
            found += ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for name in etc.OWN:
        found += ("--ro-bind", str(own.directory / "etc" / name), f"/etc/{name}")
    return found


def _interpreters(spec: StageSpec, environ: Mapping[str, str]) -> list[tuple[str, bool]]:
    """The Pythons of an environment, of PATH and our own, each with all that it was installed with."""
    homes = [sys.prefix, sys.base_prefix, *_installed(Path(sys.executable).parent)]
    built = [Path(each, "bin", "python") for each in (spec.environment, spec.tools) if each]
    homes += [str(python.resolve().parent.parent) for python in built]
    for entry in environ.get("PATH", "").split(os.pathsep):
        homes += _installed(Path(entry)) if entry.startswith("/") else []
    kept = dict.fromkeys(home for home in homes if not _below(home, "/usr") and home != "/")
    within = [home for home in kept if any(_below(home, each) and home != each for each in kept)]
    return [(home, False) for home in kept if home not in within]


def _installed(directory: Path) -> Iterator[str]:
    """Of a directory of programs: what a virtual environment or conda put it in; else itself alone."""
    home = directory.parent
    system = ("/usr", *(f"/{name}" for name in SYSTEM))
    if not directory.is_dir() or any(_below(str(directory), each) for each in system):
        return
    if directory.name == "shims" and (home / "versions").is_dir():  # pyenv's
        yield str(home)
        return
    config = home / "pyvenv.cfg"
    if not config.is_file() and not (home / "conda-meta").is_dir():
        yield str(directory)
        return
    yield str(home)
    for line in config.read_text().splitlines() if config.is_file() else ():
        name, _, value = line.partition("=")
        if name.strip() == "home":
            yield str(Path(value.strip()).resolve().parent)


def _devices(spec: StageSpec) -> list[str]:
    given = [gpu for rank in spec.ranks for gpu in rank.gpus]
    if not given:
        return []
    found: list[str] = []
    for name in GPU_SYSTEM:
        found += ("--ro-bind-try", f"/sys/{name}", f"/sys/{name}")
    for path in (*(Path("/dev", name) for name in GPU_DEVICES), *_nvidia(given)):
        found += ("--dev-bind-try", str(path), str(path))
    return found


def _nvidia(given: list[str]) -> list[Path]:
    """The device files of these GPUs; of all, where one is a slice that the driver does not list."""
    minors: dict[str, str] = {}
    for path in sorted(NVIDIA.glob("*/information")):
        facts = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        minors[facts.get("GPU UUID", "").strip()] = facts.get("Device Minor", "").strip()
    if all(gpu in minors for gpu in given):
        return [Path("/dev", f"nvidia{minors[gpu]}") for gpu in given]
    return [path for path in sorted(Path("/dev").glob("nvidia[0-9]*")) if path.name[6:].isdigit()]


class _Places(NamedTuple):
    """What lies where so far. Directories on the way to a place are made so that everybody may pass."""

    bound: list[str]
    hidden: list[str]

    def hide(self, paths: Iterable[str]) -> list[str]:
        """Empty directories over those of these that would be seen."""
        for path in paths:
            if Path(path).is_dir() and any(_below(path, each) for each in self.bound):
                self.hidden.append(path)
        return [word for path in self.hidden for word in ("--perms", "0755", "--tmpfs", path)]

    def bind(self, path: str, *, writable: bool) -> list[str]:
        """What is not there is left out."""
        if not Path(path).exists():
            return []
        found: list[str] = []
        for parent in [str(each) for each in Path(path).parents][-2::-1]:
            if self._is_ours(parent):
                found += ("--perms", "0755", "--dir", parent)
        self.bound.append(path)
        return [*found, "--bind" if writable else "--ro-bind", path, path]

    def _is_ours(self, path: str) -> bool:
        if any(_below(path, each) and path != each for each in self.hidden):
            return True
        return not any(_below(path, each) for each in (*self.bound, *self.hidden))


def _below(path: str, other: str) -> bool:
    return bool(other) and (path == other or path.startswith(other.rstrip("/") + "/"))


def _is_plain(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
