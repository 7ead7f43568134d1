"""An environment: a locked set of packages, known by the digest of what was asked for."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from gigawatt.model.values import replace

USED_EVERY_MS = 3_600_000  # uses within this time of the last one on record are not written down
OUTPUT_MARKS = frozenset({"[stdout]", "[stderr]"})  # before what a build tool printed
HOST = "host"  # the id of the environment that is simply what is on the machine


class EnvironmentKind(StrEnum):
    UV = "uv"
    HOST = "host"


class EnvironmentPhase(StrEnum):
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"
    REMOVED = "removed"  # its files are gone, or going; its lock is kept to be compared


NEXT_PHASES: dict[EnvironmentPhase, frozenset[EnvironmentPhase]] = {
    EnvironmentPhase.BUILDING: frozenset({EnvironmentPhase.READY, EnvironmentPhase.FAILED}),
    EnvironmentPhase.READY: frozenset({EnvironmentPhase.BUILDING, EnvironmentPhase.REMOVED}),
    EnvironmentPhase.FAILED: frozenset({EnvironmentPhase.BUILDING, EnvironmentPhase.REMOVED}),
    EnvironmentPhase.REMOVED: frozenset({EnvironmentPhase.BUILDING}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPackage:
    """A directory of a bundle with a Python project in it. `digest` is of its files, and known once there is a bundle."""

    path: str  # below the bundle's root
    bundle: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """An index asked before the machine's own. `secret` names what it is entered with, a secret of `owner`."""

    url: str
    secret: str = ""
    owner: str = ""  # "tenant/project", known once it is submitted; empty without a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """`requirements` as pip writes them, sorted; or `lock`, the text of a requirements lock with exact pins. `system`
    names what must be installed on the machine, and is only checked.
    """

    kind: EnvironmentKind
    python: str = ""  # "3.11"; empty for the control plane's own
    requirements: tuple[str, ...] = ()
    lock: str = ""
    system: tuple[str, ...] = ()
    packages: tuple[LocalPackage, ...] = ()
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """`id` is `env-` and 16 hex digits of the spec's digest within its tenant: the same spec is the same environment."""

    id: str
    tenant: str
    project: str
    spec: EnvironmentSpec
    phase: EnvironmentPhase
    created_ms: int
    path: str = ""  # of the built environment; holds bin/python
    lock: str = ""  # what was resolved, exact
    size_bytes: int = 0
    build_ms: int = 0
    stage: str = ""  # resolving, installing, ...; and what the tool last said
    message: str = ""  # why it failed, in the resolver's own words
    ended_ms: int | None = None
    used_ms: int = 0  # when work last asked for it or ended in it, to USED_EVERY_MS
    digest: str = ""  # of what was installed, file by file
    version: int = 1

    @property
    def last_used_ms(self) -> int:
        """When it was last built, asked for, or left by work that ended."""
        return max(self.created_ms, self.ended_ms or 0, self.used_ms)

    @property
    def failure(self) -> str:
        """Why it failed, for what waits for it: of what a build tool printed, the last line, and where the rest is."""
        lines = self.message.splitlines()
        mark = next((n for n, line in enumerate(lines) if line.strip() in OUTPUT_MARKS), None)
        if mark is None:
            return self.message
        indent = lines[mark][: len(lines[mark]) - len(lines[mark].lstrip())]
        printed = takewhile(lambda line: not line or line.startswith(indent), lines[mark + 1 :])
        last = [line for line in printed if line.strip()][-1:]
        return "\n".join([*lines[:mark], *last, f"gw env show {self.id} has all of it"])

    def moved(self, phase: EnvironmentPhase) -> "Environment":
        assert phase in NEXT_PHASES[self.phase], f"{self.id}: {self.phase} -> {phase}"
        return replace(self, phase=phase)
