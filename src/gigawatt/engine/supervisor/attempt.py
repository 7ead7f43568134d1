"""One node's part of an attempt, from the start of its ranks to the end of their last process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from enum import Enum

from gigawatt.engine.supervisor import environ, tree, workdir
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.layout import Entry
from gigawatt.engine.supervisor.loop import Timer, now_ms
from gigawatt.engine.supervisor.process import Program, StartError
from gigawatt.engine.supervisor.rank import Rank
from gigawatt.engine.supervisor.readiness import Readiness
from gigawatt.engine.supervisor.record import Record
from gigawatt.engine.supervisor.staging import Prepared

POLL_REPORTS_S = 0.1
KILL_AGAIN_S = 0.02  # a process may have forked between our look and our signal
KILL_AGAIN_S_MAX = 1.0  # some cannot be killed for a while: a disk that does not answer


class Phase(Enum):
    STAGED = "staged"
    STARTING = "starting"  # not every rank's program runs yet
    RUNNING = "running"
    STOPPING = "stopping"  # asked to end; killed after the grace
    SWEEPING = "sweeping"  # every rank has ended; what they left is killed
    GONE = "gone"


NEXT_PHASES: dict[Phase, frozenset[Phase]] = {
    Phase.STAGED: frozenset({Phase.STARTING, Phase.GONE}),
    Phase.STARTING: frozenset({Phase.RUNNING, Phase.STOPPING, Phase.SWEEPING}),
    Phase.RUNNING: frozenset({Phase.STOPPING, Phase.SWEEPING}),
    Phase.STOPPING: frozenset({Phase.SWEEPING}),
    Phase.SWEEPING: frozenset({Phase.GONE}),
    Phase.GONE: frozenset(),
}


class Attempt:
    def __init__(self, host: Host, prepared: Prepared, record: Record) -> None:
        self.spec = prepared.spec
        self.key = prepared.spec.key
        self.prepared = prepared
        self.record = record
        self.phase = Phase.STAGED
        self.ranks = [Rank(host, prepared, rank) for rank in self.spec.ranks]
        self.beside: set[int] = set()  # commands that run beside its ranks
        self._host = host
        self._marker = environ.marker(host.instance, self.key)
        self._on_launched: Callable[[str], None] = _nobody
        self._to_start = len(self.ranks)
        self._readiness: Readiness | None = None
        self._poll: Timer | None = None
        self._kill: Timer | None = None
        self._on_gone: Callable[[], None] = lambda: None

    def go(
        self,
        *,
        master_port: int,
        port: int,
        on_launched: Callable[[str], None],
        on_gone: Callable[[], None],
    ) -> None:
        """Start every rank. `on_launched` gets "" once all programs run, or why one could not be started.

        Raises OSError if it cannot be put on record; then nothing has started.
        """
        self.record.open(
            {"kind": "going", "at_ms": now_ms(), "master_port": master_port, "port": port}
        )
        self._move(Phase.STARTING)
        self._on_launched, self._on_gone = on_launched, on_gone
        site = self.prepared.site(self._host, master_port=master_port, port=port)
        for rank in self.ranks:
            try:
                self._start_rank(rank, site)
            except OSError as error:
                rank.ended = True
                self._not_started(f"rank {rank.number}: {error}", user=False)
                return
        self._poll = self._host.loop.later(POLL_REPORTS_S, self._poll_reports)
        if self.spec.readiness and self.spec.hosts_rank_0:
            self._readiness = Readiness(
                self._host.loop, self.spec.readiness, port, self._readiness_changed
            )
            self._readiness.ask()

    def stop(self, grace_s: float) -> None:
        """SIGTERM to every process, SIGKILL to what is left after the grace. Again: the shorter grace counts."""
        if self.phase in {Phase.STARTING, Phase.RUNNING}:
            self._move(Phase.STOPPING)
            tree.send(signal.SIGTERM, self.members())
        if self.phase is Phase.STOPPING and grace_s <= 0:
            self._kill_now(KILL_AGAIN_S)
        elif self.phase is Phase.STOPPING and self._kill is None:
            self._kill = self._host.loop.later(grace_s, lambda: self._kill_now(KILL_AGAIN_S))

    def abandon(self) -> None:
        """Let go of what was staged and never started."""
        self._move(Phase.GONE)
        self.prepared.let_go()
        for rank in self.ranks:
            rank.close()
        self._forget_secrets()

    def orphan_ended(self) -> None:
        if self.phase is Phase.SWEEPING:
            self._sweep(KILL_AGAIN_S)

    def rank(self, number: int) -> Rank | None:
        """A rank that runs here."""
        return next((rank for rank in self.ranks if rank.number == number and rank.runs), None)

    def members(self) -> list[int]:
        """Every process of the attempt on this node that has not ended, parents first."""
        room = self.prepared.room
        roots = [rank.pid for rank in self.ranks if rank.runs]
        roots += room.members() if room else []
        roots += sorted(self.beside)
        roots += [pid for pid in tree.children(os.getpid()) if self._left_behind(pid)]
        found = dict.fromkeys(tree.descendants(roots))
        for rank in self.ranks:
            found.update(dict.fromkeys(rank.members()))
        return [pid for pid in found if tree.identify(pid)]

    def _left_behind(self, pid: int) -> bool:
        """Whether a child that was handed down to us is this attempt's. Without a trace, the only attempt's."""
        if self._host.loop.knows(pid):
            return False
        stat = tree.read_stat(pid)
        if stat and any(rank.pid in {stat.session, stat.group} for rank in self.ranks):
            return True
        marker = tree.read_environ(pid).get(tree.MARKER, "")
        if marker:
            return marker == self._marker
        return not self._host.others_run(self.key)

    def _start_rank(self, rank: Rank, site: environ.Site) -> None:
        variables = environ.rank_environ(self.spec, rank.spec, site, os.environ)
        name = self.spec.command[0]
        path = workdir.find_program(name, self.prepared.work, variables)
        if path is None:
            raise FileNotFoundError(2, "command not found", name)
        program = Program(
            path, self.spec.command, variables, self.prepared.work, self.prepared.room
        )
        rank.start(
            program,
            lambda error: self._rank_started(rank, error),
            lambda code: self._rank_exited(rank, code),
        )

    def _rank_started(self, rank: Rank, error: StartError | None) -> None:
        if error is not None:
            self._not_started(f"rank {rank.number}: {error.detail}", user=error.is_users)
            return
        self._tell(rank.started_entry())
        self._to_start -= 1
        if self._to_start == 0 and self.phase is Phase.STARTING:
            self._move(Phase.RUNNING)
            self._launched("")

    def _not_started(self, reason: str, *, user: bool) -> None:
        """One rank could not be started, so none is to run."""
        self.record.add({"kind": "failure", "at_ms": now_ms(), "reason": reason, "user": user})
        self.stop(0)
        self._launched(reason)
        self._sweep_if_over()

    def _launched(self, reason: str) -> None:
        call, self._on_launched = self._on_launched, _nobody
        call(reason)

    def _rank_exited(self, rank: Rank, code: int) -> None:
        asked = self.phase is Phase.STOPPING
        entry = rank.exited_entry(code, asked=asked)
        for report in rank.reported(all_of_it=True):
            self._tell(report)
        self._tell(entry)
        self._sweep_if_over()

    def _sweep_if_over(self) -> None:
        if any(rank.runs for rank in self.ranks) or self.phase is Phase.SWEEPING:
            return
        self._launched("it ended while it was being started")
        self._move(Phase.SWEEPING)
        self._sweep(KILL_AGAIN_S)

    def _kill_now(self, again_s: float) -> None:
        """Kill until the ranks have ended; what they leave is swept."""
        if self.phase is not Phase.STOPPING:
            return
        tree.send(signal.SIGKILL, self.members())
        self._kill_later(again_s, self._kill_now)

    def _sweep(self, again_s: float) -> None:
        if self.phase is not Phase.SWEEPING:
            return
        left = self.members()
        if self.prepared.room is not None:
            self.prepared.room.end()
            left += self.prepared.room.held()
        if not left:
            self._gone()
            return
        tree.send(signal.SIGKILL, left)
        self._kill_later(again_s, self._sweep)

    def _kill_later(self, delay_s: float, call: Callable[[float], None]) -> None:
        if self._kill is not None:
            self._kill.cancel()
        longer_s = min(KILL_AGAIN_S_MAX, delay_s * 1.5)
        self._kill = self._host.loop.later(delay_s, lambda: call(longer_s))

    def _gone(self) -> None:
        self._move(Phase.GONE)
        for timer in (self._poll, self._kill):
            if timer is not None:
                timer.cancel()
        if self._readiness is not None:
            self._readiness.close()
        for rank in self.ranks:
            rank.close()
        self.prepared.let_go()
        self._forget_secrets()
        self._tell({"kind": "gone", "at_ms": now_ms()})
        self._on_gone()

    def _forget_secrets(self) -> None:
        try:
            self._host.vault.forget(self.key)
        except OSError as error:
            self._host.notes.note("secrets not removed", key=self.key, error=str(error))

    def _poll_reports(self) -> None:
        self._poll = self._host.loop.later(POLL_REPORTS_S, self._poll_reports)
        for rank in self.ranks:
            if rank.runs:
                for entry in rank.reported():
                    self._tell(entry)

    def _readiness_changed(self, ready: bool, detail: str) -> None:  # noqa: FBT001 - what is told
        self._tell({"kind": "readiness", "at_ms": now_ms(), "ready": ready, "detail": detail})

    def _tell(self, entry: Entry) -> None:
        self.record.add(entry)
        self._host.emit(self.key, entry)

    def _move(self, phase: Phase) -> None:
        assert phase in NEXT_PHASES[self.phase], f"{self.key}: {self.phase} -> {phase}"
        self.phase = phase


def _nobody(_reason: str) -> None:
    """Whoever asked for the launch has been answered."""
