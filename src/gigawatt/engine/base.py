"""The contract between the loop and whatever runs processes: local supervisors, Ray, Slurm, the twin.

A call that fails because of the world (a node that does not answer, a process that cannot be started) comes back as an
observation. What is raised is either our mistake or one of the errors below.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from gigawatt.engine.talk import Attachment, ByteStream, Command, WindowSize
from gigawatt.model.checkpoint import Candidate, Finding
from gigawatt.model.gang import Isolation
from gigawatt.model.health import CheckResult
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport, NodeState
from gigawatt.model.observation import Observation

LogStream = Literal["stdout", "stderr"]

EXEC_S = 60.0  # for a command beside a rank


class StaleEpochError(Exception):
    """A supervisor has seen a higher epoch: whoever asks is not the leader any more."""


class UnknownAttemptError(Exception):
    """The engine has nothing of this attempt or rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    environments: frozenset[str]  # kinds that it can run: host, uv, image
    isolation: frozenset[Isolation]
    shared_filesystem: bool  # what the control plane writes, ranks can read
    node_lost_after_s: float  # the time in which a lost node is noticed, at most
    programs: bool = True  # ranks are programs, with output; else they only start and end
    least: Isolation = Isolation.NONE  # that every gang has, whether it asks or not
    talks: bool = False  # it has `run`, `attach` and `connect`; else they refuse (unsupported)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an engine has right now; `observations` retell it, each safe to apply again."""

    nodes: tuple[NodeReport, ...]
    attempts: tuple[AttemptKey, ...]  # not released yet, running or ended
    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """Bytes of a rank's output from `offset` on (later than asked for where rotation dropped some)."""

    offset: int
    data: bytes
    end: bool  # the rank has exited and nothing comes after `data`


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    exit_code: int  # negative: the number of the signal that ended it
    stdout: bytes
    stderr: bytes
    dropped_bytes: int = 0  # of both, over the engine's limit
    overdue: bool = False  # it was killed for its time


class Engine(Protocol):
    """`open` first, `close` last; closing lets go of what runs and stops nothing."""

    @property
    def name(self) -> str: ...

    def capabilities(self) -> Capabilities: ...

    async def open(self, *, epoch: int) -> None:
        """Connect, and tell every supervisor the epoch. Raises StaleEpochError."""
        ...

    async def close(self) -> None: ...

    async def adopt(self) -> Inventory:
        """Ask what really runs. Exits not yet released are told again; released ones never.

        A gang whose launch was cut short between two nodes is not in the inventory: launching it again makes it
        whole, stopping it ends what has started.
        """
        ...

    def observe(self) -> AsyncIterator[Observation]:
        """Everything seen after `adopt`, in the order in which it was seen on each node. One reader."""
        ...

    async def nodes(self) -> tuple[NodeReport, ...]: ...

    async def set_node(self, node: str, state: NodeState, reason: str) -> None:
        """A node that is not ready refuses launches, until it is ready again or has a new leader.

        Raises RefusalError (not-found, unavailable): what was not told to the node is not assumed.
        """
        ...

    async def prepare(self, node: str, digests: tuple[str, ...]) -> None:
        """Have these bundles and artifacts on the node, verified. Raises RefusalError (digest-mismatch, disk-full)."""
        ...

    async def check(self, node: str, level: str) -> tuple[CheckResult, ...]:
        """Run the checks of a level (watch, quick, full) on a node, as far as they come: what puts load on it gives way
        to a launch. Raises RefusalError (not-found, unavailable).
        """
        ...

    async def launch(self, launch: Launch, *, epoch: int) -> None:
        """Start every rank or none; the same attempt twice starts once. Returns when accepted or refused;
        LaunchAccepted / RankStarted / LaunchFailed are observed. Raises StaleEpochError.
        """
        ...

    async def stop(self, key: AttemptKey, *, grace_s: float, epoch: int) -> None:
        """SIGTERM to every process of the attempt, SIGKILL after the grace. Idempotent; unknown attempts are gone."""
        ...

    async def release(self, key: AttemptKey, *, epoch: int) -> None:
        """The end is on record: forget the attempt but keep its logs. Idempotent."""
        ...

    async def notify(self, key: AttemptKey, *, checkpoint_by_ms: int) -> None:
        """Tell ranks to write a checkpoint by then, because they will be stopped."""
        ...

    async def check_checkpoint(self, candidate: Candidate, *, contents: bool) -> Finding:
        """Whether a checkpoint still is what was reported: by names and sizes, and by content where it was touched
        since; all of it is read for `contents`. Never raises for what it finds.
        """
        ...

    async def remove_checkpoints(self, within: str, paths: tuple[str, ...]) -> tuple[Finding, ...]:
        """Delete checkpoints below `within`, and nothing outside of it or through a link. Idempotent; a finding for
        each path, with a fault where its files stay.
        """
        ...

    async def fetch(self, path: str) -> None:
        """Have what ranks wrote at `path` on this machine, if it is on a node's own disk. Raises RefusalError."""
        ...

    async def probe(self, key: AttemptKey, rank: int) -> str:
        """Stacks of a live rank. Raises UnknownAttemptError."""
        ...

    async def exec(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, timeout_s: float = EXEC_S
    ) -> ExecResult:
        """Run a command beside a live rank, in its directory and environment; kill it and all below it when its time is
        up. Raises UnknownAttemptError, RefusalError (invalid).
        """
        ...

    async def run(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, window: WindowSize | None
    ) -> Command:
        """Start a command beside a live rank to talk to it, with a terminal if it has a window. All that it started
        ends with `close`, with its gang, and with whoever leads. `gigawatt-copy` is a command that every rank has (`gigawatt.rank.copy`).

        Raises UnknownAttemptError, RefusalError (invalid, limit, unsupported).
        """
        ...

    async def attach(self, key: AttemptKey, rank: int) -> Attachment:
        """Talk to a live rank itself; what it writes is in its log. Raises UnknownAttemptError, RefusalError."""
        ...

    async def connect(self, key: AttemptKey, rank: int, port: int) -> ByteStream:
        """A connection to a TCP port on the host of a live rank, as from that host itself.

        Raises UnknownAttemptError, RefusalError (conflict where nothing listens, unsupported).
        """
        ...

    async def read_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, offset: int, limit: int
    ) -> LogChunk:
        """A negative offset counts from the end. Raises UnknownAttemptError."""
        ...

    async def find_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, since_ms: int
    ) -> int:
        """The offset of a beginning of a line before which nothing came at `since_ms` or later; where it is not
        known when lines came, 0. Raises UnknownAttemptError.
        """
        ...
