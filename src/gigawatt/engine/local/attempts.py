"""Attempts across nodes: launched as one, stopped, released, and found again after a restart or a lost node."""

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from gigawatt.engine.base import StaleEpochError, UnknownAttemptError
from gigawatt.engine.local import launching
from gigawatt.engine.local.gang import Failure, Gang
from gigawatt.engine.local.launching import Part
from gigawatt.engine.local.link import LinkLostError, Message, RefusedError
from gigawatt.engine.local.machine import NodeSpec
from gigawatt.engine.local.nodes import Told
from gigawatt.engine.local.outbox import Outbox
from gigawatt.engine.local.translate import parse_key
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, LaunchFailed, Observation

log = logging.getLogger(__name__)

RELEASED_KEPT_MAX = 10_000  # keys, so that nothing late starts them again

CUT_SHORT = "its launch was cut short, and what had started of it has ended"


class Supervisors(Protocol):
    """The ways to speak to those of an attempt, by node. `specs` are the nodes that there are."""

    specs: dict[str, NodeSpec]

    async def ask(self, node: str, verb: str, **fields: Any) -> Message:
        """Raises LinkLostError, RefusedError or StaleEpochError."""
        ...

    async def tell(self, nodes: Iterable[str], verb: str, **fields: Any) -> Told:
        """Raises StaleEpochError."""
        ...


class Attempts:
    """`now_ms` is the clock. What is seen goes to the outbox."""

    def __init__(self, nodes: Supervisors, outbox: Outbox, now_ms: Callable[[], int]) -> None:
        self._nodes = nodes
        self._outbox = outbox
        self._now_ms = now_ms
        self._gangs: dict[AttemptKey, Gang] = {}
        self._released: OrderedDict[AttemptKey, None] = OrderedDict()
        self._stops: dict[AttemptKey, float] = {}  # with nodes that were not told: the grace
        self._locks: defaultdict[AttemptKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._gone: dict[AttemptKey, asyncio.Event] = {}  # for those whose launch is being undone
        self._early: dict[str, list[Message]] = {node: [] for node in nodes.specs}
        self._given_up: set[str] = set()  # nodes
        self._tasks: set[asyncio.Task[None]] = set()
        self.epoch = 0

    def lead(self, epoch: int) -> None:
        """What is followed up without being asked for is done in this epoch."""
        self.epoch = epoch

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def launch(
        self, key: AttemptKey, parts: Mapping[str, Part], secrets: dict[str, str], *, epoch: int
    ) -> None:
        """`parts` by node, in rank order."""
        self.epoch = epoch
        async with self._locks[key]:
            gang = self._gangs.get(key)
            if key in self._released:
                self._tell_failure(key, Failure(reason="it has already ended"))
            elif gang is not None and gang.failure is not None:
                self._undo_later(gang, gang.failure)
            elif gang is not None and gang.accepted:
                self._outbox.put(*gang.accept(at_ms=self._now_ms()))
            else:
                gang = self._gangs.setdefault(key, Gang(key=key, nodes=tuple(parts)))
                await self._launch(gang, parts, secrets)

    async def stop(self, key: AttemptKey, *, grace_s: float, epoch: int) -> None:
        self.epoch = epoch
        async with self._locks[key]:
            gang = self._gangs.get(key)
            was_gone = gang is not None and gang.gone
            nodes = gang.nodes if gang else tuple(self._nodes.specs)
            self._stops[key] = grace_s  # first: a node may be back before the others have answered
            told = await self._nodes.tell(nodes, "stop", key=str(key), grace_s=grace_s, epoch=epoch)
            if not told.unreached:
                self._stops.pop(key, None)
            silent = self._given_up.intersection(told.unreached)
            if gang is not None:
                answers = told.answers | {node: {"known": False} for node in silent}
                self._stopped(gang, answers, again=was_gone)
            elif len(silent) == len(told.unreached):
                self._outbox.put(AttemptGone(at_ms=self._now_ms(), key=key))

    async def release(self, key: AttemptKey, *, epoch: int) -> None:
        self.epoch = epoch
        async with self._locks[key]:
            gang = self._gangs.pop(key, None)
            self._stops.pop(key, None)
            self._released[key] = None
            while len(self._released) > RELEASED_KEPT_MAX:
                self._released.popitem(last=False)
            nodes = gang.nodes if gang else tuple(self._nodes.specs)
            await self._nodes.tell(nodes, "release", key=str(key), epoch=epoch)
        self._locks.pop(key, None)

    async def notify(self, key: AttemptKey, *, by_ms: int) -> None:
        gang = self._gangs.get(key)
        if gang is not None:
            await self._nodes.tell(gang.nodes, "notify", key=str(key), by_ms=by_ms)

    def nodes_of(self, key: AttemptKey) -> tuple[str, ...]:
        """Where an attempt is, in the order of its ranks."""
        gang = self._gangs.get(key)
        return gang.nodes if gang else ()

    async def ask_rank(self, key: AttemptKey, verb: str, **fields: Any) -> Message:
        """Ask the node on which a live rank runs. Raises UnknownAttemptError or RefusedError."""
        gang = self._gangs.get(key)
        for node in gang.nodes if gang else ():
            try:
                return await self._nodes.ask(node, verb, key=str(key), **fields)
            except LinkLostError:
                continue
            except RefusedError as error:
                if error.code != "unknown":
                    raise
        raise UnknownAttemptError(f"{key} has no such rank running")

    def event(self, node: str, event: Message) -> None:
        """A supervisor tells of an attempt. What it tells of one that is not known yet is kept for its inventory."""
        gang = self._gangs.get(parse_key(event["key"]))
        if gang is not None:
            self._outbox.put(*gang.take(node, event))
            self._wake_if_gone(gang)
        elif node in self._early:
            self._early[node].append(event)

    def lost(self, node: str) -> None:
        """Its next word is its inventory, or overtakes it."""
        self._early[node] = []

    def give_up(self, node: str) -> None:
        """Nobody can say when a lost node is back: what is to be stopped there counts as gone. Back, it is stopped."""
        self._given_up.add(node)
        for key, gang in self._gangs.items():
            if node in gang.nodes and (key in self._stops or gang.failure is not None):
                self._outbox.put(*gang.not_found(node, at_ms=self._now_ms()))
                self._wake_if_gone(gang)

    def learn(self, node: str, view: dict[str, Any]) -> None:
        """All that a node has of one attempt, of which the leader is told what it does not know."""
        key = parse_key(view["key"])
        if key in self._released:
            self._spawn(self._release_again(key))
            return
        gang = self._gangs.setdefault(key, Gang(key=key, nodes=tuple(view["nodes"])))
        self._outbox.put(*gang.found(node, view))
        self._wake_if_gone(gang)

    def miss(self, node: str, key: AttemptKey) -> None:
        """A node has nothing of an attempt, and never will."""
        gang = self._gangs.get(key)
        if gang is not None:
            self._outbox.put(*gang.not_found(node, at_ms=self._now_ms()))
            self._wake_if_gone(gang)

    def take_inventory(self, node: str, inventory: Message) -> list[Observation]:
        """What a node has, of which the leader is told what it does not know.

        Its events may have come in between its answer and now: they come after what the answer says.
        """
        self._given_up.discard(node)
        seen: list[Observation] = []
        found: set[AttemptKey] = set()
        for view in inventory["attempts"]:
            key = parse_key(view["key"])
            if key in self._released:
                self._spawn(self._release_again(key))
                continue
            found.add(key)
            gang = self._gangs.setdefault(key, Gang(key=key, nodes=tuple(view["nodes"])))
            seen += gang.found(node, view)
            self._wake_if_gone(gang)
        for event in self._early.pop(node, ()):
            gang = self._gangs.get(parse_key(event["key"]))
            if gang is not None:
                seen += gang.take(node, event)
                self._wake_if_gone(gang)
        for key, gang in self._gangs.items():
            if node in gang.nodes and key not in found and not self._locks[key].locked():
                seen += gang.not_found(node, at_ms=self._now_ms())
                self._wake_if_gone(gang)
        return seen

    def presume(self, node: str, openings: list[dict[str, Any]]) -> None:
        """A node does not answer: what it had started may still run there, and must not be started elsewhere."""
        for opening in openings:
            key = parse_key(opening["spec"]["key"])
            nodes = tuple(opening["spec"]["nodes"])
            gang = self._gangs.setdefault(key, Gang(key=key, nodes=nodes))
            gang.found(node, {**opening, "entries": []})

    def adopted(self) -> tuple[list[AttemptKey], list[Observation]]:
        """After the inventories of all nodes: the attempts that went, and what to tell of them.

        A gang that went on some of its nodes only is not among them: its launch was never told to be accepted, so the
        leader asks for it again, and it is made whole.
        """
        known: list[AttemptKey] = []
        seen: list[Observation] = []
        for key, gang in self._gangs.items():
            for node in gang.nodes:
                if node not in self._nodes.specs:
                    gang.not_found(node, at_ms=self._now_ms())
            if gang.failure is None and gang.cut_short and gang.gone_where_found:
                gang.failure = Failure(reason=CUT_SHORT)
            if gang.failure is not None:
                known.append(key)
                self._undo_later(gang, gang.failure)
            elif not gang.cut_short:
                known.append(key)
                seen += gang.accept(at_ms=self._now_ms())
        return known, seen

    def stop_again(self, node: str) -> None:
        """A node is back: stops that it was not told of."""
        for key, grace_s in tuple(self._stops.items()):
            gang = self._gangs.get(key)
            if gang is None or node in gang.nodes:
                del self._stops[key]
                self._spawn(self.stop(key, grace_s=grace_s, epoch=self.epoch))

    async def _launch(self, gang: Gang, parts: Mapping[str, Part], secrets: dict[str, str]) -> None:
        ask, epoch = self._nodes.ask, self.epoch
        try:
            staged = await launching.stage(ask, parts, secrets, epoch=epoch)
            failure = staged.failure
            if failure is None:
                first = staged.answers[gang.nodes[0]]
                gang.master_port, gang.port = launching.ports(first)
                gang.reference = first.get("reference", "")
                to_start = [
                    node for node, told in staged.answers.items() if told["state"] == "staged"
                ]
                for node, told in staged.answers.items():
                    if "view" in told:
                        gang.found(node, told["view"])
                failure = gang.failure or await launching.go(ask, gang, to_start, epoch=epoch)
        except StaleEpochError:
            self._gangs.pop(gang.key, None)
            raise
        if failure is None:
            self._outbox.put(*gang.accept(at_ms=self._now_ms()))
            return
        gang.failure = failure
        await self._nodes.tell(gang.nodes, "abort", key=str(gang.key), epoch=epoch)
        self._undo_later(gang, failure)

    def _stopped(self, gang: Gang, answers: dict[str, Message], *, again: bool) -> None:
        seen: list[Observation] = []
        for node, answer in answers.items():
            if not answer["known"]:
                seen += gang.not_found(node, at_ms=self._now_ms())
        self._wake_if_gone(gang)
        if gang.failure is not None:
            return
        if not gang.accepted:  # its launch was cut short; there will be none now
            seen += gang.let_out(at_ms=self._now_ms())
        if again and not seen:
            seen = gang.told_again()
        self._outbox.put(*seen)

    def _undo_later(self, gang: Gang, failure: Failure) -> None:
        if gang.key not in self._gone:
            self._gone[gang.key] = asyncio.Event()
            self._spawn(self._undo(gang, failure))

    async def _undo(self, gang: Gang, failure: Failure) -> None:
        """Nothing of a failed launch stays: stop what started, and say that it failed once all of it has ended."""
        gone = self._gone[gang.key]
        try:
            told = await self._nodes.tell(
                gang.nodes, "stop", key=str(gang.key), grace_s=0, epoch=self.epoch
            )
            if told.unreached:
                self._stops[gang.key] = 0
            absent = [node for node, answer in told.answers.items() if not answer["known"]]
            for node in (*absent, *self._given_up.intersection(told.unreached)):
                gang.not_found(node, at_ms=self._now_ms())
            self._wake_if_gone(gang)
            await gone.wait()
            self._tell_failure(gang.key, failure)
        finally:
            del self._gone[gang.key]

    def _wake_if_gone(self, gang: Gang) -> None:
        if gang.gone and gang.key in self._gone:
            self._gone[gang.key].set()

    def _tell_failure(self, key: AttemptKey, failure: Failure) -> None:
        self._outbox.put(
            LaunchFailed(
                at_ms=self._now_ms(),
                key=key,
                reason=failure.reason,
                node=failure.node,
                user=failure.user,
            )
        )

    async def _release_again(self, key: AttemptKey) -> None:
        await self._nodes.tell(self._nodes.specs, "release", key=str(key), epoch=self.epoch)

    def _spawn(self, call: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StaleEpochError):
            log.warning("not followed up, there is a later leader: %s", error)
        elif error is not None:
            log.error("an attempt was not followed to its end", exc_info=error)
