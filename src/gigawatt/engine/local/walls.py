"""Which walls a launch gets on this machine, and whether the machine can make them: tried, not guessed."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gigawatt.engine.supervisor.room import find_bubblewrap
from gigawatt.engine.supervisor.seccomp import MACHINES
from gigawatt.engine.supervisor.view import APART
from gigawatt.model.gang import Isolation
from gigawatt.model.launch import Launch
from gigawatt.model.refusal import RefusalCode, RefusalError

PROBE_S_MAX = 20.0
FIRST_UID = 700_000  # of tenants; no system gives these to people
UIDS_MAX = 100_000
TASKS_MAX = 8192  # processes and threads of one rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A directory of the machine that ranks of every tenant see."""

    path: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WallRules:
    """`floor` is what every launch gets at least. Without a `program` there are no walls; why is in `lacks`."""

    program: str = ""
    lacks: str = "it was not asked for"
    floor: Isolation = Isolation.NONE
    users: bool = False  # a Unix user for each tenant can be had
    whole: bool = False  # each node is a whole machine, or the only one on it
    given: frozenset[Isolation] = frozenset()  # that a batch system sees to
    shows: tuple[Shown, ...] = ()
    tasks_max: int = TASKS_MAX

    @property
    def classes(self) -> frozenset[Isolation]:
        """What is claimed, the absence of walls apart."""
        found = {Isolation.PROCESS} if self.program else set[Isolation]()
        if self.program and self.users:
            found.add(Isolation.USER)
        if self.program and self.whole:
            found.add(Isolation.NODE)
        return frozenset(found) | self.given


NO_WALLS = WallRules()


@dataclass(slots=True, kw_only=True)
class Builder:
    """Says for each launch what its supervisors are told. `data` is kept from everybody."""

    rules: WallRules
    data: Path
    _uids: dict[str, int] = field(default_factory=dict[str, int])

    def of(self, launch: Launch) -> dict[str, Any] | None:
        """None for a launch without walls. Raises RefusalError for a class that is not to be had here."""
        rules = self.rules
        wanted = max(launch.isolation, rules.floor, key=lambda each: each.rank)
        if launch.shared and wanted is Isolation.NONE and Isolation.PROCESS in rules.classes:
            wanted = Isolation.PROCESS  # elsewhere the operator has accepted that there are none
        if wanted is Isolation.NONE:
            return None
        if wanted.rank > max((each.rank for each in rules.classes), default=0):
            raise _not_here(wanted, rules)
        if not rules.program:
            return None
        by_user = rules.users and (
            wanted is Isolation.USER or (wanted is Isolation.NODE and rules.floor is Isolation.USER)
        )
        return {
            "kind": "user" if by_user else "process",
            "program": rules.program,
            "uid": self.uid(launch.tenant) if by_user else 0,
            "shows": [{"path": each.path, "writable": each.writable} for each in rules.shows],
            "hides": [str(self.data.resolve())],
            "tasks_max": rules.tasks_max,
        }

    def uid(self, tenant: str) -> int:
        """The tenant's own, for good: what it has written stays its alone. Raises RefusalError."""
        path = self.data / "uids.json"
        if not self._uids and path.exists():
            self._uids = json.loads(path.read_text())
        if tenant not in self._uids:
            if len(self._uids) >= UIDS_MAX:
                detail = f"{UIDS_MAX} tenants have had a Unix user here, and there are no more"
                raise RefusalError(RefusalCode.LIMIT, detail)
            self._uids[tenant] = FIRST_UID + len(self._uids)
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(self._uids))
            fresh.replace(path)
        return self._uids[tenant]


def probe_walls(
    floor: Isolation = Isolation.NONE, *, nodes: int = 1, shows: tuple[Shown, ...] = ()
) -> WallRules:
    """What this machine can: tried with everything that walls are made of."""
    program = find_bubblewrap()
    lacks = _tried(program) if program else "bubblewrap is not installed (bwrap)"
    return WallRules(
        program="" if lacks else program,
        lacks=lacks,
        floor=floor,
        users=os.geteuid() == 0,
        whole=nodes == 1,
        shows=shows,
    )


def parse_shows(value: str) -> tuple[Shown, ...]:
    """From `/data:/scratch=rw`. Raises RefusalError."""
    found: list[Shown] = []
    for part in filter(None, value.split(":")):
        path, _, mode = part.partition("=")
        if not path.startswith("/") or mode not in {"", "ro", "rw"} or ".." in Path(path).parts:
            raise RefusalError(
                RefusalCode.INVALID,
                f"{part!r} is no directory to show",
                field="isolation_shows",
                hint="write absolute paths like /datasets:/scratch=rw",
            )
        found.append(Shown(path=path.rstrip("/") or "/", writable=mode == "rw"))
    return tuple(found)


def _tried(program: str) -> str:
    """Why not; empty where it works."""
    if os.uname().machine not in MACHINES:
        return f"no system call filter is known for {os.uname().machine}"
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        argv = [program, *APART, "--unshare-user", "--die-with-parent", "--cap-drop", "ALL"]
        argv += ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
        argv += ["--bind", directory, "/tmp", "--remount-ro", "/", "--", "/bin/sh", "-c", ":"]  # noqa: S108 - as it is seen inside
        try:
            done = subprocess.run(argv, capture_output=True, timeout=PROBE_S_MAX, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            return f"bubblewrap cannot be run: {error}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace").strip() or f"it ended with {done.returncode}"
    return f"bubblewrap cannot make its name spaces: {said[:200]}"


def _not_here(wanted: Isolation, rules: WallRules) -> RefusalError:
    has = ", ".join(sorted(each.value for each in rules.classes)) or "none"
    why = f" ({rules.lacks})" if rules.lacks else ""
    return RefusalError(
        RefusalCode.UNSUPPORTED,
        f"isolation {wanted.value} is not to be had on this machine: it has {has}{why}",
        field="isolation",
        hint="install bubblewrap, or ask for a class that gw version shows",
    )
