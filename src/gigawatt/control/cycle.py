"""One cycle of the loop: inputs in order, then timers, then one decision, then everything to commit and to do.

This is the production cycle and the twin's: it has no I/O and is given the time. What it returns is committed in one
transaction first; only then are replies given and actions carried out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from gigawatt.control.timers import Timers
from gigawatt.control.waits import Waits
from gigawatt.model.action import Action
from gigawatt.model.audit import AuditNote, AuditOutcome
from gigawatt.model.change import Batch, Entity
from gigawatt.model.command import Command
from gigawatt.model.decision import Decision, Hold, Wait
from gigawatt.model.ledger import NodeAccount
from gigawatt.model.observation import Observation
from gigawatt.model.refusal import RefusalError
from gigawatt.model.values import replace
from gigawatt.model.world import World
from gigawatt.reconcile import adopt, apply, halt, projects
from gigawatt.reconcile.turn import Site, Turn, entity_id
from gigawatt.scheduler.decide import Finished, finish
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.estimates import Estimates
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.predicted import Predictions
from gigawatt.scheduler.snapshot import Snapshot
from gigawatt.scheduler.standstill import Standstill, standstill


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command and the number under which its answer is awaited."""

    ticket: int
    command: Command
    note: AuditNote | None = None  # to be put on record with how it ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Start nothing more and stop what runs: the instance is being shut down. Jobs go back into the line."""


@dataclass(slots=True, kw_only=True)
class State:
    """What a leader holds between cycles."""

    world: World
    encoder: Encoder
    site: Site
    policy: Policy
    timers: Timers = field(default_factory=Timers)
    waits: Mapping[str, Wait] = field(default_factory=dict[str, Wait])
    resume: str = ""  # where the last decision's work budget ended
    hold: Hold | None = None  # of the last decision
    again_ms: int = 0  # when the last decision wants to be made again; 0 for never
    estimates: Estimates | None = None  # None where nobody asks when what waits will start
    predictions: Predictions = field(default_factory=Predictions)  # where the policy learns
    still: Standstill | None = None  # what the last decision left, if that stands still
    halted: bool = False

    def snapshot(self, now_ms: int, *, labels: bool = False) -> Snapshot:
        """The world as the next decision sees it; with `labels`, also those of gangs where none keeps apart."""
        learned = self.estimates if self.policy.learned else None
        if learned is not None:
            for gang, end_ms in self.predictions.moved(learned.outlook, now_ms):
                self.encoder.foresee(gang, end_ms)
        snapshot = self.encoder.snapshot(
            now_ms,
            resume=self.resume,
            hold=self.hold,
            dated=self.policy.needs_uses,
            shares=self.policy.needs_shares,
            labels=labels,
        )
        if learned is None:
            return snapshot
        line = self.predictions.line(snapshot.gangs, learned.outlook, now_ms)
        self.encoder.memo.keep(line, self.encoder.memo.asked(snapshot.gangs))
        return replace(snapshot, gangs=line)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """`snapshot` and `decision` are None when nothing has changed by which anything could start.

    The decision is without its waits: `State.waits` has them, for those who ask.
    """

    batch: Batch
    actions: list[Action]
    replies: dict[int, Entity | RefusalError]
    snapshot: Snapshot | None = None
    decision: Decision | None = None
    changed: bool = False  # what waits or runs is not what it was


Input = Asked | Halt | Observation


def run(state: State, inputs: Iterable[Input], *, now_ms: int) -> Outcome:
    """Take in every input and decide once. The state is changed; committing it is the caller's."""
    turn = Turn(world=state.world, now_ms=now_ms, site=state.site)
    replies: dict[int, Entity | RefusalError] = {}
    for kind, together in groupby(inputs, key=_kind):
        if kind is Asked or kind is Halt:
            for each in together:
                _take(state, turn, replies, each)
        else:
            apply.observations(
                turn, [each for each in together if not isinstance(each, Asked | Halt)]
            )
    for subject in state.timers.take(now_ms=now_ms):
        apply.due(turn, subject)
    return _decided(state, turn, replies)


def first(state: State, found: adopt.Found, *, now_ms: int) -> Outcome:
    """The first cycle of a leader: what engines really have, against what is on record."""
    turn = Turn(world=state.world, now_ms=now_ms, site=state.site)
    projects.ensure_default(turn)
    adopt.adopt(turn, found)
    return _decided(state, turn, {}, always=True)


def _kind(each: Input) -> type[Asked | Halt] | None:
    return type(each) if isinstance(each, Asked | Halt) else None


def _take(state: State, turn: Turn, replies: dict[int, Entity | RefusalError], each: Input) -> None:
    if isinstance(each, Asked):
        replies[each.ticket] = reply = _answer(turn, each.command)
        if each.note is not None:
            turn.audits.append(_noted(turn, each.note, each.command, reply))
    elif isinstance(each, Halt):
        state.halted = True
        halt.stop_all(turn)


def _noted(
    turn: Turn, note: AuditNote, command: Command, reply: Entity | RefusalError
) -> AuditNote:
    """What is put on record of a command: on that of the tenant whose object it is."""
    kind = type(command).__name__
    if isinstance(reply, RefusalError):
        named = getattr(command, "id", "") or getattr(command, "name", "")
        return replace(
            note,
            at_ms=turn.now_ms,
            outcome=AuditOutcome.REFUSED,
            target=f"{kind.lower()}:{named}",
            detail=reply.code.value,
        )
    return replace(
        note,
        at_ms=turn.now_ms,
        target=f"{type(reply).__name__.lower()}:{entity_id(reply)}",
        tenant=getattr(reply, "tenant", "") or note.tenant,
        project=getattr(reply, "project", "") or note.project,
        detail=kind,
    )


def _answer(turn: Turn, command: Command) -> Entity | RefusalError:
    before = len(turn.touched)
    try:
        return apply.command(turn, command)
    except RefusalError as refusal:
        assert len(turn.touched) == before, f"{command} was refused half-way: {refusal}"
        return refusal


def _decided(
    state: State,
    turn: Turn,
    replies: dict[int, Entity | RefusalError],
    *,
    always: bool = False,
) -> Outcome:
    """Decide if placement depends on anything that has changed, and put together what follows."""
    snapshot = decision = None
    changed = _encode(state, turn, 0) or always
    due = 0 < state.again_ms <= turn.now_ms
    if (changed or due) and not state.halted:
        if state.encoder.nobody_waits and not always:
            state.resume, state.hold, state.again_ms = "", None, 0
            state.still, state.waits = None, {}
        elif due or always or not _stands_still(state):
            snapshot, decision = _decide(state, turn)
        else:
            state.waits = Waits(partial(_finished, state, turn.now_ms), {})
    _accrue(state, turn)
    state.timers.add(turn.dues)
    return Outcome(
        batch=turn.batch(),
        actions=turn.actions,
        replies={ticket: _as_put(turn, reply) for ticket, reply in replies.items()},
        snapshot=snapshot,
        decision=decision,
        changed=changed,
    )


def _stands_still(state: State) -> bool:
    """Whether all that has changed are gangs that have come into a line in which nobody can start."""
    still, came = state.still, state.encoder.newcomers()
    return still is not None and came is not None and all(map(still.waits, came))


def _decide(state: State, turn: Turn) -> tuple[Snapshot, Decision]:
    """Make a decision, and carry it out in the world."""
    done = len(turn.touched)
    finished = _finished(state, turn.now_ms)
    decision = finished.started()
    state.resume, state.again_ms = decision.resume, decision.again_ms
    state.hold = decision.hold
    if decision.again_ms:
        turn.due(decision.again_ms, "")
    apply.decision(turn, decision)
    _encode(state, turn, done)
    state.encoder.newcomers()  # what it starts itself is no news to it
    state.still = standstill(finished)
    state.waits = Waits.of(finished, state.waits)
    return finished.turn.snapshot, decision


def _finished(state: State, now_ms: int) -> Finished:
    """A round through the line as it is now."""
    return finish(state.snapshot(now_ms), state.policy, state.encoder.memo)


def _encode(state: State, turn: Turn, start: int) -> bool:
    """Tell the encoder what has changed; whether placement depends on any of it."""
    concerned = False
    last = {
        (type(entity), entity_id(entity)): entity
        for entity in turn.touched[start:]
        if not isinstance(entity, NodeAccount)  # no placement depends on them, and they are most
    }
    for entity in last.values():
        concerned |= state.encoder.apply(entity)
        if state.estimates is not None:
            state.estimates.apply(entity, now_ms=turn.now_ms)
    return concerned


def _accrue(state: State, turn: Turn) -> None:
    """Keep who has used how much, where anything is shared by it."""
    policy = state.policy
    for use in state.encoder.accrued(
        turn.now_ms, half_life_ms=policy.half_life_ms, shares=policy.needs_shares
    ):
        state.encoder.apply(turn.put(use))


def _as_put(turn: Turn, reply: Entity | RefusalError) -> Entity | RefusalError:
    """The object as the whole turn left it, which is what the commit makes true."""
    return reply if isinstance(reply, RefusalError) else turn.latest(reply)
