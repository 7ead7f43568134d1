"""What must hold after every event of a run, checked on what the cycle commits, with books of their own.

- no core, byte or device is given out twice: of nodes, by amounts; of GPUs, by device;
- a gang is whole: its attempt has as many nodes as it asks for, all of them nodes of the site, and all of its ranks;
- every gang that waits has a reason;
- no project uses more than its limit because of a gang that was started, and no feed carries more than its cap;
- nothing starts on nodes that others have set aside before it must have ended;
- what gangs hold, what is idle and what is away sums to what is installed, on every node.

The checks share no code with the scheduler or the encoder, and look only at what an event touched, except that all
reasons are looked for whenever a decision was made.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gigawatt.control.cycle import Outcome, State
from gigawatt.model.attempt import Attempt
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.ledger import NodeAccount, TimeClass
from gigawatt.model.node import Node, NodeState
from gigawatt.model.resources import Resources
from gigawatt.twin.limits import Limits, shape_of
from gigawatt.twin.reserved import SetAside
from gigawatt.twin.watts import Watts

DEVICE_MILLI = 1000
NOTHING = Resources()
AWAY = frozenset({TimeClass.DOWN, TimeClass.DRAINED})


class BrokenError(Exception):
    """An invariant does not hold: a fault of ours, with the virtual time and all that is wrong."""

    def __init__(self, at_ms: int, faults: Iterable[str]) -> None:
        super().__init__(f"at {at_ms} ms of virtual time: {'; '.join(faults)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one attempt has of one node."""

    amounts: Resources
    devices: tuple[str, ...]


class Invariants:
    """Tell it of every outcome; it raises BrokenError at the first event after which something does not hold."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._held: dict[str, dict[str, Held]] = {}  # by node, by gang
        self._on: dict[str, tuple[str, ...]] = {}  # by gang, the nodes of its live attempt
        self._limits = Limits()
        self._watts = Watts()
        self._set_aside = SetAside()

    def check(self, state: State, outcome: Outcome, *, now_ms: int) -> None:
        """Raises BrokenError."""
        faults: list[str] = []
        touched: dict[str, None] = {}
        for put in outcome.batch.puts:
            if isinstance(put, Node):
                self._nodes[put.id] = put
                touched[put.id] = None
            elif isinstance(put, Job | Replica):
                touched |= dict.fromkeys(self._moved(put))
                faults += self._not_whole(put)
        for put in outcome.batch.puts:
            if isinstance(put, NodeAccount):
                faults += self._unbalanced(put)
        for node in touched:
            faults += self._given_twice(node)
        if outcome.decision is not None:
            faults += self._unexplained(state)
        faults += [*self._limits.check(outcome), *self._watts.check(outcome)]
        faults += self._set_aside.check(outcome, now_ms)
        if faults:
            raise BrokenError(now_ms, faults)

    def _moved(self, job: Job | Replica) -> tuple[str, ...]:
        """Take down what the job holds now; the nodes that it left and came to."""
        attempt = job.attempt
        before = self._on.pop(job.id, ())
        now: tuple[str, ...] = ()
        if attempt is not None and attempt.live:
            if attempt.held == before:
                self._on[job.id] = before
                return ()
            now = self._on[job.id] = attempt.held
        for node in before:
            del self._held[node][job.id]
        for node in now:
            assert attempt is not None
            self._held.setdefault(node, {})[job.id] = _held(job, attempt, node)
        return (*before, *now)

    def _not_whole(self, job: Job | Replica) -> Iterable[str]:
        attempt, shape = job.attempt, shape_of(job)
        if attempt is None or not attempt.live:
            return
        count, places = len(attempt.nodes), attempt.places
        has = sum(places) if shape.stacked else count
        fit = (
            len(places) in ({count} if shape.stacked else {0}) and len(set(attempt.nodes)) == count
        )
        if not (fit and shape.nodes_min <= has <= shape.nodes_max):
            yield f"{job.id} has nodes {attempt.nodes}, and asks for {shape.nodes_min} to {shape.nodes_max}"
        if len(attempt.ranks) != count * shape.ranks_per_node:
            yield f"{job.id} has {len(attempt.ranks)} ranks on {count} nodes"
        unknown = [node for node in attempt.nodes if node not in self._nodes]
        if unknown:
            yield f"{job.id} is on {unknown}, which the site does not have"

    def _given_twice(self, id: str) -> Iterable[str]:
        node = self._nodes.get(id)
        if node is None:
            return
        used = NOTHING
        devices: dict[str, int] = {}
        for held in self._held.get(id, {}).values():
            used = used + held.amounts
            share = min(held.amounts.milli_gpu, DEVICE_MILLI)
            for device in held.devices:
                devices[device] = devices.get(device, 0) + share
        if not used.fits_in(node.total):
            yield f"{id} has {node.total} and has given {used}"
        there = {gpu.uuid for gpu in node.report.gpus}
        for device, share in devices.items():
            if share > DEVICE_MILLI or device not in there:
                yield f"{id} has given {share} milli-GPUs of device {device}"

    def _unbalanced(self, account: NodeAccount) -> Iterable[str]:
        """The account against the node and what gangs hold of it."""
        node = self._nodes.get(account.id)
        if node is None:
            yield f"{account.id} has an account, and the site does not have it"
            return
        held = self._held.get(account.id, {})
        has = {gang: _units(account, each.amounts) for gang, each in held.items()}
        told = {use.gang: use.units for use in account.uses}
        if has != told:
            yield f"{account.id}: gangs hold {has}, and its account says {told}"
        busy, rest = sum(has.values()), account.installed - sum(told.values())
        if rest < 0 or busy + rest != node.ledger_units:
            yield f"{account.id}: {busy} busy and {rest} at rest are not the {node.ledger_units} installed"
        if (node.state is not NodeState.READY) != (account.rest_class in AWAY):
            yield f"{account.id} is {node.state}, and what rests there is {account.rest_class}"

    def _unexplained(self, state: State) -> Iterable[str]:
        for job in state.world.jobs.values():
            if job.phase is JobPhase.QUEUED and job.id not in state.waits:
                yield f"{job.id} waits without a reason"
        for replica in state.world.replicas.values():
            waits = not replica.stopping and not (replica.attempt and replica.attempt.live)
            if waits and replica.id not in state.waits:
                yield f"{replica.id} waits without a reason"


def _held(job: Job | Replica, attempt: Attempt, node: str) -> Held:
    devices = {uuid for rank in attempt.ranks if rank.node == node for uuid in rank.gpus}
    devices |= {uuid for spare in attempt.spares if spare.node == node for uuid in spare.gpus}
    places = dict(zip(attempt.nodes, attempt.places, strict=False)).get(node, 1)
    return Held(amounts=shape_of(job).per_node.times(places), devices=tuple(sorted(devices)))


def _units(account: NodeAccount, amounts: Resources) -> int:
    return amounts.milli_gpu if account.unit == "milli_gpu_ms" else amounts.milli_cpu
