"""How a run went over time, for charts: device time by class, the line and projects in spans of equal length.

Kept only where somebody asks for it. Spans double whenever there would be too many, so its size has a limit
however long the run is. Time counts in the class that it had then, and what turns out lost is moved in the spans
in which it was worked, so that every span's classes sum to what is installed.
"""

from collections import Counter
from dataclasses import dataclass, field

from gigawatt.control.cycle import Outcome
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.ledger import LedgerEntry, NodeAccount, Use
from gigawatt.twin.tally import UNITS
from gigawatt.twin.work import START_MS

SPANS_MAX = 240
SPAN_MS = 60_000
QUEUED, ASKED = "queued", "asked"  # gangs that wait, and the devices that they ask for

Amounts = Counter[str]


@dataclass(slots=True, kw_only=True)
class Ended:
    """One job that has completed."""

    project: str
    units: int  # milli-GPUs, or milli-cores where it has none
    wait_ms: int
    jct_ms: int


@dataclass(slots=True, kw_only=True)
class History:
    """`took` every outcome, in order; then `closed` once. Times count from the start of virtual time."""

    span_ms: int = SPAN_MS
    classes: list[Amounts] = field(default_factory=list[Amounts])  # by span: unit × ms by class
    projects: list[Amounts] = field(default_factory=list[Amounts])  # by span: unit × ms held
    line: list[Amounts] = field(default_factory=list[Amounts])  # by span: × ms
    ended: list[Ended] = field(default_factory=list[Ended])
    _unit: str = UNITS[-1]
    _accounts: dict[str, NodeAccount] = field(default_factory=dict[str, NodeAccount])
    _now: dict[str, Amounts] = field(default_factory=dict[str, Amounts])
    _waits: dict[str, int] = field(default_factory=dict[str, int])  # by job, what it asks for
    _at_ms: int = START_MS

    def took(self, outcome: Outcome, *, now_ms: int) -> None:
        """Take in what one cycle commits."""
        self._pass(now_ms)
        for entry in outcome.batch.entries:
            if entry.unit_ms < 0 and entry.unit == self._unit:
                self._moved(entry, outcome.batch.entries)
        for put in outcome.batch.puts:
            if isinstance(put, Job):
                self._job(put)
            elif isinstance(put, NodeAccount):
                self._account(put)

    def closed(self, *, now_ms: int) -> None:
        self._pass(now_ms)

    @property
    def unit(self) -> str:
        """What device time is counted in, as a tally has it."""
        return self._unit

    def _pass(self, now_ms: int) -> None:
        """Everything goes on as it is until now."""
        if now_ms > self._at_ms:
            for name, rows in self._rows():
                self._spread(rows, self._now.get(name, Counter()), self._at_ms, now_ms)
            self._at_ms = now_ms

    def _rows(self) -> tuple[tuple[str, list[Amounts]], ...]:
        return ("classes", self.classes), ("projects", self.projects), ("line", self.line)

    def _spread(self, rows: list[Amounts], amounts: Amounts, from_ms: int, to_ms: int) -> None:
        """Add amounts × ms to the spans between the two times."""
        while (to_ms - START_MS) > SPANS_MAX * self.span_ms:
            self._halve()
        at_ms = from_ms
        while at_ms < to_ms:
            place = (at_ms - START_MS) // self.span_ms
            end_ms = min(START_MS + (place + 1) * self.span_ms, to_ms)
            while len(rows) <= place:
                rows.append(Counter())
            for key, amount in amounts.items():
                if amount:
                    rows[place][key] += amount * (end_ms - at_ms)
            at_ms = end_ms

    def _halve(self) -> None:
        self.span_ms *= 2
        for _, rows in self._rows():
            pairs = [rows[place : place + 2] for place in range(0, len(rows), 2)]
            rows[:] = [sum(pair, Counter[str]()) for pair in pairs]

    def _moved(self, entry: LedgerEntry, entries: list[LedgerEntry]) -> None:
        """What counted as one class until now was another: in the time in which the attempt did it."""
        account = self._accounts.get(entry.node)
        use = None if account is None else _use_of(account, entry)
        into = next(
            (
                other.time_class
                for other in entries
                if other.unit_ms == -entry.unit_ms and _same(other, entry)
            ),
            None,
        )
        if use is None or into is None or not use.units:
            return
        from_ms = max(entry.at_ms - -entry.unit_ms // use.units, START_MS)
        both = Counter({entry.time_class.value: -use.units, into.value: use.units})
        self._spread(self.classes, both, from_ms, entry.at_ms)

    def _job(self, job: Job) -> None:
        line = self._now.setdefault("line", Counter())
        before = self._waits.pop(job.id, None)
        if before is not None:
            line[QUEUED] -= 1
            line[ASKED] -= before
        if job.phase is JobPhase.QUEUED:
            self._waits[job.id] = asked = _units(job)
            line[QUEUED] += 1
            line[ASKED] += asked
        elif job.phase is JobPhase.SUCCEEDED:
            assert job.ended_ms is not None
            ended = Ended(
                project=job.project,
                units=_units(job),
                wait_ms=job.attempts[0].placed_ms - job.created_ms,
                jct_ms=job.ended_ms - job.created_ms,
            )
            self.ended.append(ended)

    def _account(self, account: NodeAccount) -> None:
        if account.unit == UNITS[0] and self._unit != UNITS[0]:
            self._unit = UNITS[0]  # GPUs are what counts where there are any
            self._accounts.clear()
            self._now.pop("classes", None)
            self._now.pop("projects", None)
        if account.unit != self._unit:
            return
        before = self._accounts.get(account.id)
        if before is not None:
            self._count(before, -1)
        self._accounts[account.id] = account
        self._count(account, 1)

    def _count(self, account: NodeAccount, sign: int) -> None:
        classes = self._now.setdefault("classes", Counter())
        projects = self._now.setdefault("projects", Counter())
        rest = account.installed
        for use in account.uses:
            rest -= use.units
            classes[use.time_class.value] += sign * use.units
            projects[use.project] += sign * use.units
        classes[account.rest_class.value] += sign * rest


def _units(job: Job) -> int:
    shape = job.spec.shape
    return shape.nodes_min * (shape.per_node.milli_gpu or shape.per_node.milli_cpu)


def _use_of(account: NodeAccount, entry: LedgerEntry) -> Use | None:
    key = entry.gang, entry.attempt
    return next((use for use in account.uses if (use.gang, use.attempt) == key), None)


def _same(one: LedgerEntry, other: LedgerEntry) -> bool:
    """Whether both are of the same attempt on the same node."""
    return (one.node, one.gang, one.attempt) == (other.node, other.gang, other.attempt)
