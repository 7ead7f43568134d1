"""The Ray engine: our supervisor on every node of a Ray cluster, put there by Ray and reached by TCP without it.

Ray says which machines there are and starts our supervisors. All else is between us and them: what runs goes on when
Ray's head is lost, and when a raylet is, and whoever leads next finds it.
"""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.clock import now_ms
from gigawatt.engine.base import (
    Capabilities,
    Inventory,
    LogChunk,
    LogStream,
    UnknownAttemptError,
)
from gigawatt.engine.local.attempts import Attempts
from gigawatt.engine.local.bundles import Archive, Unpack
from gigawatt.engine.local.datasets import Datasets
from gigawatt.engine.local.far_talks import FarTalks, Place
from gigawatt.engine.local.files import instance_id
from gigawatt.engine.local.keeper import Hooks, Pulse
from gigawatt.engine.local.launching import Part
from gigawatt.engine.local.link import LinkLostError, Message, RefusedError
from gigawatt.engine.local.outbox import Outbox
from gigawatt.engine.local.provisions import Provisions
from gigawatt.engine.local.supervised import Supervised
from gigawatt.engine.local.translate import check_result, key_of, nodes_of, parse_key
from gigawatt.engine.local.walls import NO_WALLS, WallRules
from gigawatt.engine.ray.carry import Carrier, NotCarriedError
from gigawatt.engine.ray.facts import Facts
from gigawatt.engine.ray.files import Files
from gigawatt.engine.ray.fleet import Fleet
from gigawatt.engine.ray.heads import Head, end_head
from gigawatt.engine.ray.returns import Returns
from gigawatt.engine.ray.scout import Cluster, Scout
from gigawatt.engine.ray.trees import Trees, needed
from gigawatt.engine.supervisor.manifest import place_of
from gigawatt.model.checkpoint import Candidate, Finding
from gigawatt.model.health import CheckResult
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport, NodeState
from gigawatt.model.observation import (
    LaunchFailed,
    LaunchPreparing,
    NodeLost,
    NodeSeen,
    Observation,
)
from gigawatt.model.refusal import RefusalCode, RefusalError

PULSE = Pulse(every_s=0.5, hung_after_s=2.5)
STOP_GRACE_S = 10.0
CHECK_S = 960.0  # more than a supervisor gives them
PLACES_MAX = 10_000  # ranks of which we remember where their output is


@dataclass(frozen=True, slots=True, kw_only=True)
class RayOptions:
    """`head` is set where the cluster is ours to start. `orphan_s` is how long ranks run without a leader."""

    head: Head | None = None
    orphan_s: float = 86_400.0
    pulse: Pulse = PULSE
    walls: WallRules = NO_WALLS


class RayEngine(FarTalks, Supervised):
    """`unpack` is needed for bundles, and `datasets` that can lay out trees for data. `archive` has the bundles where they
    are not below `data`.
    """

    name = "ray"

    def __init__(  # noqa: PLR0913 - each is a part that it is given
        self,
        data: Path,
        cluster: Cluster,
        *,
        options: RayOptions | None = None,
        api_url: str = "",
        unpack: Unpack | None = None,
        archive: Archive | None = None,
        datasets: Datasets | None = None,
    ) -> None:
        super().__init__()
        self._options = options or RayOptions()
        self._outbox = Outbox()
        self._files = Files(data)
        self._provisions = Provisions(
            data,
            self._outbox,
            unpack=unpack,
            archive=archive,
            datasets=datasets,
            api_url=api_url,
            walls=self._options.walls,
        )
        hooks = Hooks(event=self._event, lost=self._lost, back=self._back)
        self._fleet = Fleet(self._files, hooks, self._options.pulse, new=self._new)
        self._attempts = Attempts(self._fleet, self._outbox, now_ms)
        trees = Trees(self._fleet, self._files.root)
        self._carrier = Carrier(self._fleet.ask, trees, archive)
        self._returns = Returns(self._fleet, trees)
        self._data = data
        self._cluster = cluster
        self._scout: Scout | None = None
        self._held_at: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._given_time: list[asyncio.Task[None]] = []
        self._epoch = 0

    def capabilities(self) -> Capabilities:
        """What is shared is known once nodes are: every one must see the control plane's directory."""
        pulse = self._options.pulse
        return Capabilities(
            environments=frozenset({"host", "uv"}),
            isolation=self._options.walls.classes,
            least=self._options.walls.floor,
            shared_filesystem=all(self._fleet.facts(node).shared for node in self._fleet.specs),
            node_lost_after_s=pulse.every_s + pulse.hung_after_s,
            talks=True,
        )

    async def open(self, *, epoch: int) -> None:
        """Reach every supervisor that is known; Ray is asked for more of them in the background."""
        self._epoch = epoch
        await asyncio.to_thread(self._files.make)
        self._attempts.lead(epoch)
        await self._provisions.sweep()
        await self._fleet.open(epoch)
        self._scout = self._new_scout()
        self._scout.start()

    async def close(self) -> None:
        for task in self._given_time:
            task.cancel()
        await asyncio.gather(*self._given_time, return_exceptions=True)
        if self._scout is not None:
            await self._scout.close()
        await self._returns.close()
        await self._attempts.close()
        await self._fleet.close()
        self._provisions.close()
        self._outbox.close()

    async def shutdown(self, *, grace_s: float = STOP_GRACE_S) -> None:
        """End every gang and every supervisor, and the head if it is ours, then close."""
        if self._scout is not None:
            await self._scout.close(take_away=True)
        await self._fleet.shut_down(grace_s)
        await asyncio.to_thread(self._files.forget_nodes)
        if self._options.head is not None:
            await asyncio.to_thread(end_head, self._files.head)
        await self.close()

    async def adopt(self) -> Inventory:
        self._outbox.take_all()  # all of it is retold
        seen: list[Observation] = []
        for node in self._fleet.up:
            try:
                inventory = await self._fleet.ask(node, "inventory")
            except LinkLostError:
                continue  # it is told as lost, and what it had once it is back
            seen.append(NodeSeen(at_ms=now_ms(), report=self._fleet.report(node)))
            seen.append(await self._provisions.cached(node))
            seen += self._attempts.take_inventory(node, inventory)
        for node in sorted(set(self._fleet.specs) - set(self._fleet.up)):
            openings = await asyncio.to_thread(self._files.openings, node)
            self._attempts.presume(node, openings)
            lost_after_s = self.capabilities().node_lost_after_s
            self._given_time.append(asyncio.create_task(self._give_up_later(node, lost_after_s)))
        known, retold = self._attempts.adopted()
        return Inventory(
            nodes=await self.nodes(), attempts=tuple(known), observations=(*seen, *retold)
        )

    def observe(self) -> AsyncIterator[Observation]:
        return self._outbox.drain()

    async def nodes(self) -> tuple[NodeReport, ...]:
        """Those that answer."""
        return tuple(self._fleet.report(node) for node in self._fleet.up)

    async def set_node(self, node: str, state: NodeState, reason: str) -> None:
        """A node that is not ready refuses launches. Raises RefusalError (not-found, unavailable)."""
        self._check_node(node)
        try:
            await self._fleet.ask(
                node, "state", epoch=self._epoch, state=state.value, reason=reason
            )
        except LinkLostError as error:
            raise RefusalError(RefusalCode.UNAVAILABLE, str(error)) from error

    async def check(self, node: str, level: str) -> tuple[CheckResult, ...]:
        """With the executable files of `checks` in the data directory as checks of one's own, where the node sees them.
        Raises RefusalError.
        """
        self._check_node(node)
        scripts = str(self._data / "checks")
        try:
            answer = await self._fleet.ask(
                node, "check", timeout_s=CHECK_S, level=level, scripts=scripts
            )
        except (LinkLostError, RefusedError) as error:
            raise RefusalError(RefusalCode.UNAVAILABLE, str(error)) from error
        return tuple(check_result(each) for each in answer["results"])

    async def prepare(self, node: str, digests: tuple[str, ...]) -> None:
        """Have these bundles unpacked where the node sees them. Raises RefusalError."""
        self._check_node(node)
        if self._fleet.facts(node).shared:
            await self._provisions.prepare(digests)
            return
        try:
            for digest in digests:
                await self._carrier.carry(node, digest)
        except (LinkLostError, RefusedError) as error:
            raise RefusalError(RefusalCode.UNAVAILABLE, str(error)) from error

    async def launch(self, launch: Launch, *, epoch: int) -> None:
        key, nodes = key_of(launch), nodes_of(launch)
        why, user = self._unfit(launch)
        if why:
            self._fail(key, why, user=user)
            return
        master = self._fleet.facts(nodes[0]).host
        async with self._provisions.parts(launch, self._fleet.specs, master_addr=master) as parts:
            await asyncio.to_thread(self._files.note_attempt, key, parts)
            try:
                carried = await self._carried(launch, parts)
            except NotCarriedError as error:
                self._fail(key, str(error), node=error.node)
                return
            await self._attempts.launch(key, carried, dict(launch.secrets), epoch=epoch)

    async def stop(self, key: AttemptKey, *, grace_s: float, epoch: int) -> None:
        await self._attempts.stop(key, grace_s=grace_s, epoch=epoch)

    async def release(self, key: AttemptKey, *, epoch: int) -> None:
        await self._attempts.release(key, epoch=epoch)
        await asyncio.to_thread(self._files.forget_attempt, key)

    async def check_checkpoint(self, candidate: Candidate, *, contents: bool) -> Finding:
        """Once what is on its way from other disks is here; what is missing is looked for there."""
        path = candidate.checkpoint.path
        await self._returns.settled(path)
        found = await super().check_checkpoint(candidate, contents=contents)
        if not found.fault or not self._returns.far(self._fleet.up):
            return found
        await self._returns.fetch(str(place_of(path, candidate.within)), path)
        return await super().check_checkpoint(candidate, contents=contents)

    async def remove_checkpoints(self, within: str, paths: tuple[str, ...]) -> tuple[Finding, ...]:
        await self._returns.remove(within, paths)
        return await super().remove_checkpoints(within, paths)

    async def fetch(self, path: str) -> None:
        fault = await self._returns.fetch(path)
        if fault:
            raise RefusalError(RefusalCode.UNAVAILABLE, f"{path} did not come back: {fault}")

    async def read_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, offset: int, limit: int
    ) -> LogChunk:
        """From the node's own disk, through its supervisor."""
        answer = await self._ask_holder(key, rank, "log", stream=stream, offset=offset, limit=limit)
        data = base64.b64decode(answer["data"])
        return LogChunk(offset=answer["offset"], data=data, end=answer["end"])

    async def find_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, since_ms: int
    ) -> int:
        answer = await self._ask_holder(key, rank, "find-log", stream=stream, since_ms=since_ms)
        return answer["offset"]

    def supervisor_pid(self, node: str) -> int:
        """For operators and tests; 0 before the node was ever up."""
        self._check_node(node)
        return self._fleet.pid(node)

    @property
    def envoy_pid(self) -> int:
        """For tests and trials; 0 while there is none."""
        return self._scout.pid if self._scout is not None else 0

    def _new_scout(self) -> Scout:
        head = self._options.head
        task = {
            "address": self._cluster.address,
            "node_ip": self._cluster.node_ip,
            "nodes": self._cluster.nodes,
            "instance": instance_id(self._data),
            "secret": self._files.secret(),
            "orphan_s": self._options.orphan_s,
            "beacon": [str(self._files.beacon.resolve()), self._files.beacon.read_text()],
        }
        return Scout(
            self._cluster,
            task,
            ready=head.ensure if head else None,
            found=self._found,
            log_file=self._files.root / "envoy.log",
        )

    def _check_node(self, node: str) -> None:
        if node not in self._fleet.specs:
            known = ", ".join(sorted(self._fleet.specs))
            raise RefusalError(
                RefusalCode.NOT_FOUND, f"there is no node {node}; there are: {known}"
            )

    def _unfit(self, launch: Launch) -> tuple[str, bool]:
        """Why it cannot run where it is placed, "" where it can; and whether that is no fault of the node's."""
        for node in nodes_of(launch):
            if node not in self._fleet.specs:
                return f"there is no node {node}", False
            lives = [each.volume for each in launch.volumes if not each.digest]
            if lives and not self._fleet.facts(node).shared:
                return (
                    f"node {node} does not see the file system that volume {lives[0]} is on",
                    True,
                )
        return "", False

    async def _carried(self, launch: Launch, parts: Mapping[str, Part]) -> dict[str, Part]:
        """With the bundle, and all else that it needs, wherever a node does not see ours. Raises NotCarriedError."""
        key = key_of(launch)
        return await self._carrier.carried(
            launch.bundle,
            parts,
            far={
                node: await asyncio.to_thread(needed, parts[node])
                for node in self._returns.far(parts)
            },
            known=bool(self._attempts.nodes_of(key)),
            goes_on=lambda: self._outbox.put(LaunchPreparing(at_ms=now_ms(), key=key)),
        )

    async def _places(self, key: AttemptKey) -> Iterable[Place]:
        return [self._fleet.access(node).place for node in self._attempts.nodes_of(key)]

    async def _ask_holder(
        self, key: AttemptKey, rank: int, verb: str, **fields: Any
    ) -> dict[str, Any]:
        """Ask the node that has a rank's output; of an attempt that was released, any may. Raises UnknownAttemptError."""
        place = self._held_at.get((str(key), rank))
        nodes = (place,) if place else self._attempts.nodes_of(key) or tuple(self._fleet.up)
        told = await self._fleet.tell(nodes, verb, key=str(key), rank=rank, **fields)
        for node, answer in told.answers.items():
            self._held_at[str(key), rank] = node
            while len(self._held_at) > PLACES_MAX:
                self._held_at.popitem(last=False)
            return answer
        raise UnknownAttemptError(f"no node that answers has a log of rank {rank} of {key}")

    def _fail(self, key: AttemptKey, reason: str, *, node: str = "", user: bool = False) -> None:
        failed = LaunchFailed(at_ms=now_ms(), key=key, reason=reason, node=node, user=user)
        self._outbox.put(failed)

    def _new(self, node: str) -> None:
        self._attempts.lost(node)

    async def _found(self, facts: Facts) -> None:
        await self._fleet.take(facts)

    def _event(self, node: str, event: Message) -> None:
        self._attempts.event(node, event)
        if event["kind"] == "checkpoint":
            nodes = self._attempts.nodes_of(parse_key(event["key"])) or (node,)
            self._returns.saved(nodes, event["checkpoint"]["path"])

    def _lost(self, node: str, why: str) -> None:
        self._attempts.lost(node)
        self._attempts.give_up(node)
        self._outbox.put(NodeLost(at_ms=now_ms(), node=node, reason=why))

    async def _give_up_later(self, node: str, after_s: float) -> None:
        """One that did not answer when we began has as long as any other before it is given up."""
        await asyncio.sleep(after_s)
        if node not in self._fleet.up:
            self._attempts.give_up(node)

    def _back(self, node: str, inventory: Message) -> None:
        self._outbox.put(NodeSeen(at_ms=now_ms(), report=self._fleet.report(node)))
        self._outbox.put(self._provisions.told(node))
        self._outbox.put(*self._attempts.take_inventory(node, inventory))
        self._attempts.stop_again(node)
