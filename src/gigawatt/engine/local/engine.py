"""The local engine: one supervisor for each virtual node of this machine, reached over its socket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from gigawatt.clock import now_ms
from gigawatt.engine.base import Capabilities, Inventory, LogChunk, LogStream
from gigawatt.engine.local import logs
from gigawatt.engine.local.attempts import Attempts
from gigawatt.engine.local.bundles import Archive, Unpack
from gigawatt.engine.local.datasets import Datasets
from gigawatt.engine.local.files import instance_id, nodes_dir, unreleased
from gigawatt.engine.local.keeper import HUNG_AFTER_S, PING_EVERY_S, Hooks, Site
from gigawatt.engine.local.link import LinkLostError, Message, RefusedError
from gigawatt.engine.local.machine import NodeSpec, look_at_machine, share_machine
from gigawatt.engine.local.nodes import Nodes
from gigawatt.engine.local.outbox import Outbox
from gigawatt.engine.local.provisions import Provisions
from gigawatt.engine.local.shutdown import shut_down_others
from gigawatt.engine.local.supervised import Supervised
from gigawatt.engine.local.talks import (
    Line,
    LocalAttachment,
    LocalCommand,
    open_line,
    stream_of,
)
from gigawatt.engine.local.translate import check_result, key_of, nodes_of
from gigawatt.engine.local.walls import NO_WALLS, WallRules
from gigawatt.engine.talk import Attachment, ByteStream, Command, WindowSize
from gigawatt.model.health import CheckResult
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport, NodeState
from gigawatt.model.observation import LaunchFailed, NodeLost, NodeSeen, Observation
from gigawatt.model.refusal import RefusalCode, RefusalError

ORPHAN_S = 86_400.0  # a supervisor without a control plane for so long ends
STOP_GRACE_S = 10.0  # for gangs when the whole engine is shut down
CHECK_S = 960.0  # more than a supervisor gives them


class LocalEngine(Supervised):
    """`nodes` is a number of even shares of this machine, or the shares. `unpack` is needed for bundles, and `datasets`
    that can lay out trees for data. `archive` has the bundles where they are not below `data`.
    """

    name = "local"

    def __init__(  # noqa: PLR0913 - each is a part that it is given
        self,
        data: Path,
        *,
        nodes: int | tuple[NodeSpec, ...] = 1,
        orphan_s: float = ORPHAN_S,
        api_url: str = "",
        unpack: Unpack | None = None,
        archive: Archive | None = None,
        datasets: Datasets | None = None,
        walls: WallRules = NO_WALLS,
    ) -> None:
        super().__init__()
        machine = look_at_machine()
        specs = share_machine(nodes, machine) if isinstance(nodes, int) else nodes
        site = Site(data=data, instance=instance_id(data), orphan_s=orphan_s)
        hooks = Hooks(event=self._event, lost=self._lost, back=self._back)
        self._data = data
        self._outbox = Outbox()
        self._provisions = Provisions(
            data,
            self._outbox,
            unpack=unpack,
            archive=archive,
            datasets=datasets,
            api_url=api_url,
            walls=walls,
        )
        self._walls = walls
        self._nodes = Nodes(specs, machine, site, hooks)
        self._attempts = Attempts(self._nodes, self._outbox, now_ms)
        self._epoch = 0

    def capabilities(self) -> Capabilities:
        """A supervisor's end is noticed at once; `node_lost_after_s` is for one that hangs."""
        return Capabilities(
            environments=frozenset({"host", "uv"}),
            isolation=self._walls.classes,
            least=self._walls.floor,
            shared_filesystem=True,
            node_lost_after_s=PING_EVERY_S + HUNG_AFTER_S,
            talks=True,
        )

    async def open(self, *, epoch: int) -> None:
        """Start or find every supervisor. Those of nodes that are not ours any more are ended."""
        self._epoch = epoch
        self._attempts.lead(epoch)
        await shut_down_others(self._data, frozenset(self._nodes.specs), grace_s=STOP_GRACE_S)
        await self._provisions.sweep()
        await self._nodes.open(epoch)

    async def close(self) -> None:
        await self._attempts.close()
        await self._nodes.close()
        self._provisions.close()
        self._outbox.close()

    async def shutdown(self, *, grace_s: float = STOP_GRACE_S) -> None:
        """End every gang and every supervisor, then close."""
        await self._nodes.shut_down(grace_s)
        await self.close()

    async def adopt(self) -> Inventory:
        self._outbox.take_all()  # all of it is retold
        seen: list[Observation] = []
        for node in self._nodes.up:
            try:
                inventory = await self._nodes.ask(node, "inventory")
            except LinkLostError:
                continue  # it is told as lost, and what it had once it is back
            seen.append(NodeSeen(at_ms=now_ms(), report=self._nodes.report(node)))
            seen.append(await self._provisions.cached(node))
            seen += self._attempts.take_inventory(node, inventory)
        for node in sorted(set(self._nodes.specs) - set(self._nodes.up)):
            openings = await asyncio.to_thread(unreleased, nodes_dir(self._data) / node)
            self._attempts.presume(node, openings)
        known, retold = self._attempts.adopted()
        return Inventory(
            nodes=await self.nodes(), attempts=tuple(known), observations=(*seen, *retold)
        )

    def observe(self) -> AsyncIterator[Observation]:
        return self._outbox.drain()

    async def nodes(self) -> tuple[NodeReport, ...]:
        """Those that answer."""
        return tuple(self._nodes.report(node) for node in self._nodes.up)

    async def set_node(self, node: str, state: NodeState, reason: str) -> None:
        """A node that is not ready refuses launches. Raises RefusalError (not-found, unavailable)."""
        self._check_node(node)
        try:
            await self._nodes.ask(
                node, "state", epoch=self._epoch, state=state.value, reason=reason
            )
        except LinkLostError as error:
            raise RefusalError(RefusalCode.UNAVAILABLE, str(error)) from error

    async def check(self, node: str, level: str) -> tuple[CheckResult, ...]:
        """With the executable files of `checks` in the data directory as checks of one's own. Raises RefusalError."""
        self._check_node(node)
        scripts = str(self._data / "checks")
        try:
            answer = await self._nodes.ask(
                node, "check", timeout_s=CHECK_S, level=level, scripts=scripts
            )
        except (LinkLostError, RefusedError) as error:
            raise RefusalError(RefusalCode.UNAVAILABLE, str(error)) from error
        return tuple(check_result(each) for each in answer["results"])

    async def prepare(self, node: str, digests: tuple[str, ...]) -> None:
        """Have these bundles unpacked. Raises RefusalError."""
        self._check_node(node)
        await self._provisions.prepare(digests)

    async def launch(self, launch: Launch, *, epoch: int) -> None:
        key = key_of(launch)
        strangers = [node for node in nodes_of(launch) if node not in self._nodes.specs]
        if strangers:
            reason = f"there is no node {strangers[0]}"
            self._outbox.put(LaunchFailed(at_ms=now_ms(), key=key, reason=reason))
            return
        async with self._provisions.parts(launch, self._nodes.specs) as parts:
            await self._attempts.launch(key, parts, dict(launch.secrets), epoch=epoch)

    async def stop(self, key: AttemptKey, *, grace_s: float, epoch: int) -> None:
        await self._attempts.stop(key, grace_s=grace_s, epoch=epoch)

    async def release(self, key: AttemptKey, *, epoch: int) -> None:
        await self._attempts.release(key, epoch=epoch)

    async def run(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, window: WindowSize | None
    ) -> Command:
        """Its files are ours directly; the supervisor ends it with our connection."""
        size = window and [window.rows, window.columns]
        more = {"command": command, "size": size, "term": window.term if window else ""}
        line, _, given = await self._talk("run", key, rank, more)
        return LocalCommand(line, given, terminal=window is not None)

    async def attach(self, key: AttemptKey, rank: int) -> Attachment:
        line, _, given = await self._talk("attach", key, rank, {})
        return LocalAttachment(line, given)

    async def connect(self, key: AttemptKey, rank: int, port: int) -> ByteStream:
        line, _, given = await self._talk("connect", key, rank, {"port": port})
        await line.close()  # the socket is ours now
        return await stream_of(given)

    async def _talk(
        self, verb: str, key: AttemptKey, rank: int, more: dict[str, Any]
    ) -> tuple[Line, dict[str, Any], list[int]]:
        message = {"verb": verb, "key": str(key), "rank": rank, **more}
        return await open_line(self._data, self._attempts.nodes_of(key), message)

    async def read_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, offset: int, limit: int
    ) -> LogChunk:
        return await asyncio.to_thread(
            logs.read_log, self._data, key, rank, stream, offset=offset, limit=limit
        )

    async def find_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, since_ms: int
    ) -> int:
        return await asyncio.to_thread(
            logs.find_log, self._data, key, rank, stream, since_ms=since_ms
        )

    def supervisor_pid(self, node: str) -> int:
        """For operators and tests; 0 before the node was ever up."""
        self._check_node(node)
        return self._nodes.pid(node)

    def _check_node(self, node: str) -> None:
        if node not in self._nodes.specs:
            known = ", ".join(sorted(self._nodes.specs))
            raise RefusalError(
                RefusalCode.NOT_FOUND, f"there is no node {node}; there are: {known}"
            )

    def _event(self, node: str, event: Message) -> None:
        self._attempts.event(node, event)

    def _lost(self, node: str, why: str) -> None:
        self._attempts.lost(node)
        self._outbox.put(NodeLost(at_ms=now_ms(), node=node, reason=why))

    def _back(self, node: str, inventory: Message) -> None:
        self._outbox.put(NodeSeen(at_ms=now_ms(), report=self._nodes.report(node)))
        self._outbox.put(self._provisions.told(node))
        self._outbox.put(*self._attempts.take_inventory(node, inventory))
        self._attempts.stop_again(node)
