"""What a run comes to, from what production would have committed: ends of jobs, ledger entries, and accounts of nodes."""

from array import array
from dataclasses import dataclass, field

from gigawatt.control.cycle import Outcome
from gigawatt.ledger import account as ledger
from gigawatt.model.attempt import Verdict
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.ledger import LedgerEntry, NodeAccount, TimeClass
from gigawatt.model.world import World

UNITS = ("milli_gpu_ms", "milli_core_ms")  # GPUs are what counts where there are any


def _times() -> "array[int]":
    return array("q")


@dataclass(slots=True, kw_only=True)
class Tally:
    """`took` every outcome, in order; then `closed` once. Times are in milliseconds."""

    waits_ms: "array[int]" = field(default_factory=_times)  # of completed jobs, in order of ends
    jcts_ms: "array[int]" = field(default_factory=_times)
    failed: int = 0
    preemptions: int = 0
    interruptions: int = 0
    decisions: int = 0
    cycles: int = 0
    ended_ms: int = 0
    classes: dict[tuple[str, TimeClass], int] = field(
        default_factory=dict[tuple[str, TimeClass], int]
    )
    scattered_ms: dict[str, int] = field(default_factory=dict[str, int])
    _free: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    _scattered: dict[str, int] = field(default_factory=dict[str, int])
    _at_ms: int = 0

    def took(self, outcome: Outcome, *, now_ms: int) -> None:
        """Take in what one cycle commits."""
        self.cycles += 1
        self.decisions += outcome.decision is not None
        self._pass(now_ms)
        for put in outcome.batch.puts:
            if isinstance(put, Job):
                if put.ended_ms is not None:
                    self._ended(put)
            elif isinstance(put, NodeAccount):
                self._changed(put)
        for entry in outcome.batch.entries:
            self._entered(entry)

    def closed(self, world: World, *, now_ms: int) -> None:
        """Account for the time up to the end of the run."""
        self._pass(now_ms)
        for account in world.accounts.values():
            for entry in ledger.settle(account, now_ms=now_ms)[1]:
                self._entered(entry)

    @property
    def unit(self) -> str:
        """What the run's device time is counted in."""
        there = {unit for unit, _ in self.classes}
        return next((unit for unit in UNITS if unit in there), UNITS[-1])

    def total(self, *classes: TimeClass) -> int:
        """Device time in these classes, of all of them when none is named; in the run's unit."""
        unit = self.unit
        return sum(
            amount
            for (of, time_class), amount in self.classes.items()
            if of == unit and (not classes or time_class in classes)
        )

    def _ended(self, job: Job) -> None:
        assert job.ended_ms is not None
        self.ended_ms = max(self.ended_ms, job.ended_ms)
        verdicts = [attempt.verdict for attempt in job.attempts]
        self.preemptions += verdicts.count(Verdict.PREEMPTION)
        self.interruptions += verdicts.count(Verdict.INFRASTRUCTURE)
        if job.phase is not JobPhase.SUCCEEDED:
            self.failed += 1
            return
        self.waits_ms.append(job.attempts[0].placed_ms - job.created_ms)
        self.jcts_ms.append(job.ended_ms - job.created_ms)

    def _pass(self, now_ms: int) -> None:
        span_ms = now_ms - self._at_ms
        if span_ms and self._at_ms:
            for unit, amount in self._scattered.items():
                self.scattered_ms[unit] = self.scattered_ms.get(unit, 0) + amount * span_ms
        self._at_ms = now_ms

    def _changed(self, account: NodeAccount) -> None:
        """What is free on a node where something runs is scattered; a node that is empty is whole."""
        unit, before = self._free.get(account.id, (account.unit, 0))
        free = account.installed - sum(use.units for use in account.uses) if account.uses else 0
        self._free[account.id] = unit, free
        self._scattered[unit] = self._scattered.get(unit, 0) + free - before

    def _entered(self, entry: LedgerEntry) -> None:
        key = entry.unit, entry.time_class
        self.classes[key] = self.classes.get(key, 0) + entry.unit_ms
