"""The Slurm engine: a Slurm job for each attempt, and in it our supervisors beside the ranks, reached by TCP."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.clock import entropy, now_ms
from gigawatt.engine.base import Capabilities, Inventory, LogChunk, LogStream
from gigawatt.engine.local import logs
from gigawatt.engine.local.attempts import Attempts
from gigawatt.engine.local.bundles import Archive, Unpack
from gigawatt.engine.local.datasets import Datasets
from gigawatt.engine.local.far_talks import FarTalks, Place
from gigawatt.engine.local.files import instance_id
from gigawatt.engine.local.link import Message
from gigawatt.engine.local.outbox import Outbox
from gigawatt.engine.local.provisions import Provisions
from gigawatt.engine.local.supervised import Supervised
from gigawatt.engine.local.translate import key_of, nodes_of, parse_key
from gigawatt.engine.local.walls import NO_WALLS, WallRules
from gigawatt.engine.slurm import jobs
from gigawatt.engine.slurm.batch import share_of
from gigawatt.engine.slurm.call import CallBox, own_address
from gigawatt.engine.slurm.client import Slurm, SlurmRefusedError, SlurmUnavailableError
from gigawatt.engine.slurm.crews import Crews, Hooks
from gigawatt.engine.slurm.files import Files
from gigawatt.engine.slurm.fleet import OURS, Fleet, Plan, drained_by_us
from gigawatt.engine.slurm.gifts import NotGivenError, give_all
from gigawatt.engine.slurm.owners import as_owner, become_giver
from gigawatt.engine.slurm.post import Crew
from gigawatt.engine.slurm.recovery import find_crews
from gigawatt.engine.slurm.site import PATIENCE_S, meet, silent
from gigawatt.engine.slurm.topology import Group
from gigawatt.engine.slurm.users import NoUserError, Users
from gigawatt.engine.slurm.watch import Parts, Watch
from gigawatt.engine.supervisor.log_reading import find_log
from gigawatt.engine.supervisor.rank_module import put_beside_ranks
from gigawatt.model.gang import Isolation
from gigawatt.model.health import CheckResult
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport, NodeState
from gigawatt.model.observation import LaunchFailed, NodeSeen, Observation
from gigawatt.model.refusal import RefusalCode, RefusalError

log = logging.getLogger(__name__)

NOTICED_S = 5.0  # beyond what Slurm itself takes to give a node up
STOP_GRACE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmOptions:
    """`options` are added to each sbatch: --account=…, --qos=…. `orphan_s` is how long ranks run without a leader,
    `patience_s` how long a controller that does not answer is waited for at the start. With `users` each job is that of
    whoever asked for the gang. `python` runs supervisors.
    """

    partition: str = ""
    options: tuple[str, ...] = ()
    orphan_s: float = 86_400.0
    topology: tuple[Group, ...] = ()  # in place of what Slurm tells
    patience_s: float = PATIENCE_S
    users: Users | None = None
    python: str = sys.executable
    walls: WallRules = NO_WALLS


class SlurmEngine(FarTalks, Supervised):
    """`data` is on a file system that all nodes see, at the same path, like the Python that runs this.

    `unpack` is needed for bundles, and `datasets` that can lay out trees for data. `archive` has the bundles where they
    are not below `data`.
    """

    name = "slurm"

    def __init__(  # noqa: PLR0913 - each is a part that it is given
        self,
        data: Path,
        slurm: Slurm,
        *,
        options: SlurmOptions | None = None,
        api_url: str = "",
        unpack: Unpack | None = None,
        archive: Archive | None = None,
        datasets: Datasets | None = None,
    ) -> None:
        super().__init__()
        self._data = data
        self._slurm = slurm
        self._options = options or SlurmOptions()
        self._instance = instance_id(data)
        self._outbox = Outbox()
        self._provisions = Provisions(
            data,
            self._outbox,
            unpack=unpack,
            archive=archive,
            datasets=datasets,
            api_url=api_url,
            walls=self._options.walls,
        )
        self._files = Files(data, shared=self._options.users is not None)
        hooks = Hooks(event=self._event, view=self._view, nothing=self._nothing, back=self._back)
        self._crews = Crews(self._files, hooks, self._submit)
        self._attempts = Attempts(self._crews, self._outbox, now_ms)
        self._calls = CallBox(self._token_of, self._came)
        self._barred: dict[str, str] = {}
        self._lost_after_s = 300.0
        self._watching: asyncio.Task[None] | None = None
        self._fleet: Fleet
        self._watch: Watch

    def capabilities(self) -> Capabilities:
        """When a lost node is noticed follows from Slurm's own timeouts, which are known once we are open."""
        return Capabilities(
            environments=frozenset({"host", "uv"}),
            isolation=self._options.walls.classes
            | ({Isolation.USER} if self._options.users else frozenset[Isolation]()),
            least=Isolation.USER if self._options.users else self._options.walls.floor,
            shared_filesystem=True,
            node_lost_after_s=self._lost_after_s,
            talks=True,
        )

    async def open(self, *, epoch: int) -> None:
        """Ask Slurm what there is, and reach every supervisor. Raises RefusalError where its controller does not
        answer: then nothing is known, and nothing is concluded.
        """
        if self._options.users:
            become_giver()
        await asyncio.to_thread(self._files.make)
        await asyncio.to_thread(self._files.take_epoch, epoch)
        await asyncio.to_thread(put_beside_ranks, self._files.python)
        await self._provisions.sweep()
        self._attempts.lead(epoch)
        self._crews.lead(epoch)
        await self._meet_slurm()
        await self._calls.open(await self._call_host())
        for spec, _, _ in await asyncio.to_thread(self._files.jobs):
            for node in spec.addresses:
                self._attempts.lost(node)  # what is told before its inventory is read is kept
        await find_crews(self._slurm, self._files, self._crews, prefix=self._prefix)
        self._watching = asyncio.create_task(self._watch.run())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._calls.close()
        await self._attempts.close()
        await self._crews.close()
        await self._slurm.close()
        self._provisions.close()
        self._outbox.close()

    async def shutdown(self, *, grace_s: float = STOP_GRACE_S) -> None:
        """End every gang and every job of ours, then close. Slurm kills what does not end in its KillWait."""
        for key in tuple(self._crews.all):
            await self._attempts.stop(parse_key(key), grace_s=grace_s, epoch=self._attempts.epoch)
        await self.close()
        await jobs.shut_down_jobs(self._data, self._slurm)

    async def adopt(self) -> Inventory:
        self._outbox.take_all()  # all of it is retold
        views: dict[str, list[dict[str, Any]]] = {}
        for crew in self._crews.all.values():
            for node, post in crew.posts.items():
                if crew.over and not post.gone:
                    await self._crews.write_off(crew, post)
                view = await self._crews.view(crew, node)
                views.setdefault(node, [])
                if view is not None:
                    views[node].append({**view, "reference": crew.reference})
        seen: list[Observation] = []
        for report in self._fleet.reports:
            seen.append(NodeSeen(at_ms=now_ms(), report=report))
            seen.append(await self._provisions.cached(report.id))
        for node, found in views.items():
            seen += self._attempts.take_inventory(node, {"attempts": found})
        known, retold = self._attempts.adopted()
        return Inventory(
            nodes=self._fleet.reports, attempts=tuple(known), observations=(*seen, *retold)
        )

    def observe(self) -> AsyncIterator[Observation]:
        return self._outbox.drain()

    async def nodes(self) -> tuple[NodeReport, ...]:
        """Those that answer."""
        return self._fleet.reports

    async def set_node(self, node: str, state: NodeState, reason: str) -> None:
        """Slurm is told too, with our reason: a node that is not ready takes no jobs of anyone.

        Raises RefusalError (not-found, unavailable). Where Slurm does not let us, it holds for our gangs alone.
        """
        known = self._fleet.slurm.get(node)
        if known is None:
            raise RefusalError(RefusalCode.NOT_FOUND, f"Slurm has no node {node}")
        try:
            if state is NodeState.READY:
                if self._barred.get(node) or drained_by_us(known):
                    await self._slurm.resume(node)
            elif state is not NodeState.CHECKING and (not known.closed or drained_by_us(known)):
                await self._slurm.drain(node, f"{OURS}{reason or state.value}")
        except SlurmUnavailableError as error:
            raise RefusalError(RefusalCode.UNAVAILABLE, str(error)) from error
        except SlurmRefusedError as error:
            log.warning("Slurm does not let us make %s %s: %s", node, state.value, error)
        if state is NodeState.READY:
            self._barred.pop(node, None)
        else:
            self._barred[node] = f"node {node} is {state.value}: {reason}"

    async def check(self, node: str, level: str) -> tuple[CheckResult, ...]:
        """Slurm's own HealthCheckProgram checks its nodes, and what it drains is closed here."""
        detail = f"{level} checks of {node} are left to Slurm's HealthCheckProgram"
        raise RefusalError(RefusalCode.UNSUPPORTED, detail)

    async def prepare(self, node: str, digests: tuple[str, ...]) -> None:
        """Have these bundles unpacked, where every node sees them. Raises RefusalError."""
        if node not in self._fleet.slurm:
            raise RefusalError(RefusalCode.NOT_FOUND, f"Slurm has no node {node}")
        await self._provisions.prepare(digests)

    async def launch(self, launch: Launch, *, epoch: int) -> None:
        await asyncio.to_thread(self._files.check_epoch, epoch)
        key, nodes = key_of(launch), nodes_of(launch)
        try:
            if not self._crews.known(str(key)):
                self._plan(launch, nodes)
            await self._give(launch)
        except _Unfit as unfit:
            self._outbox.put(
                LaunchFailed(
                    at_ms=now_ms(), key=key, reason=str(unfit), node=unfit.node, user=unfit.user
                )
            )
            return
        master = self._fleet.slurm[nodes[0]].address
        async with self._provisions.parts(launch, self._fleet.specs, master_addr=master) as parts:
            await self._attempts.launch(key, parts, dict(launch.secrets), epoch=epoch)

    async def stop(self, key: AttemptKey, *, grace_s: float, epoch: int) -> None:
        await asyncio.to_thread(self._files.check_epoch, epoch)
        await self._attempts.stop(key, grace_s=grace_s, epoch=epoch)

    async def release(self, key: AttemptKey, *, epoch: int) -> None:
        await asyncio.to_thread(self._files.check_epoch, epoch)
        await self._attempts.release(key, epoch=epoch)

    async def read_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, offset: int, limit: int
    ) -> LogChunk:
        def read() -> LogChunk:
            directory = logs.directory_of(self._data, key, rank, stream)
            with as_owner(self._data, directory):
                return logs.read_in(directory, offset=offset, limit=limit)

        return await asyncio.to_thread(read)

    async def find_log(
        self, key: AttemptKey, rank: int, stream: LogStream, *, since_ms: int
    ) -> int:
        def find() -> int:
            directory = logs.directory_of(self._data, key, rank, stream)
            with as_owner(self._data, directory):
                return find_log(directory, since_ms=since_ms)

        return await asyncio.to_thread(find)

    def supervisor_pids(self, node: str) -> tuple[int, ...]:
        """On that node, for operators and tests."""
        crews = [crew for crew in self._crews.all.values() if node in crew.posts and not crew.over]
        found = [self._files.address(crew.spec, node) for crew in crews]
        return tuple(address.pid for address in found if address is not None)

    @property
    def _prefix(self) -> str:
        return jobs.prefix(self._instance)

    async def _meet_slurm(self) -> None:
        """Its facts and its nodes, once its controller answers. Raises RefusalError."""
        options = self._options
        site = await meet(self._slurm, options.topology, patience_s=options.patience_s)
        self._lost_after_s = site.silent_s + NOTICED_S
        self._fleet = Fleet(site)
        parts = Parts(
            slurm=self._slurm,
            files=self._files,
            fleet=self._fleet,
            crews=self._crews,
            outbox=self._outbox,
        )
        self._watch = Watch(parts, partition=self._options.partition, prefix=self._prefix)

    async def _call_host(self) -> str:
        """Where nodes can call us: our address on the way to them."""
        if not await self._watch.look(concludes=False):
            raise silent("neither nodes nor jobs are told")
        first = next(iter(self._fleet.slurm.values()), None)
        if first is None:
            where = f"partition {self._options.partition}" if self._options.partition else "Slurm"
            raise RefusalError(RefusalCode.UNAVAILABLE, f"{where} has no nodes", field="engine")
        return await asyncio.to_thread(own_address, first.address)

    def _plan(self, launch: Launch, nodes: tuple[str, ...]) -> None:
        """Know what is to be submitted, once; without waiting, so that of two launches one is the first. Raises _Unfit."""
        for node in nodes:
            why = self._barred.get(node, "") or self._fleet.refusal(node)
            if why:
                raise _Unfit(why, node=node)
        users = self._options.users
        try:
            share = share_of(launch)
            user = users.of(launch).name if users else ""
        except (ValueError, NoUserError) as error:
            raise _Unfit(str(error), user=True) from error
        held: dict[str, tuple[str, ...]] = {}
        for placement in launch.placements:
            held[placement.node] = (*held.get(placement.node, ()), *placement.gpus)
        plan = Plan(share=share, held=held)
        spec = jobs.spec_of(
            str(key_of(launch)),
            {node: self._fleet.slurm[node].address for node in nodes},
            self._files,
            token=entropy(32).hex(),
            call=self._calls.place,
            instance=self._instance,
            orphan_s=self._options.orphan_s,
            user=user,
        )
        self._crews.muster(spec, plan)

    async def _submit(self, crew: Crew, *, again: bool) -> int:
        """Where it is not known whether an earlier try was taken, Slurm is asked first."""
        if again:
            for job in await self._slurm.jobs():
                if job.name == f"{self._prefix}{crew.key}" and not job.over:
                    return job.id
        plan = self._crews.plans[crew.key]
        batch = jobs.batch_of(
            crew.spec,
            plan.share,
            self._fleet.slurm,
            self._files,
            prefix=self._prefix,
            options=self._options.options,
            python=self._options.python,
        )
        await asyncio.to_thread(self._files.write_job, crew.spec, plan)
        number = await self._slurm.submit(batch)
        await asyncio.to_thread(self._files.write_id, crew.key, number)
        return number

    async def _give(self, launch: Launch) -> None:
        """What is to be its user's. Raises _Unfit."""
        user = self._crews.all[str(key_of(launch))].spec.user
        if not user:
            return
        try:
            await asyncio.to_thread(give_all, self._data, self._files, launch, user)
        except NotGivenError as error:
            raise _Unfit(str(error), user=error.theirs) from error

    async def _places(self, key: AttemptKey) -> Iterable[Place]:
        crew = self._crews.all.get(str(key))
        if crew is None:
            return ()
        return await asyncio.to_thread(self._files.places, crew.spec, crew.there)

    def _owned(self, directory: str) -> AbstractContextManager[None]:
        path = Path(directory)
        return as_owner(self._data, path if path.is_relative_to(self._data) else self._data)

    def _token_of(self, key: str) -> str:
        crew = self._crews.all.get(key)
        return crew.spec.token if crew else ""

    def _came(self, key: str, node: str) -> None:
        self._crews.arrive(self._crews.all[key], node)

    def _event(self, node: str, event: Message) -> None:
        self._attempts.event(node, event)

    def _view(self, node: str, view: dict[str, Any]) -> None:
        self._attempts.learn(node, view)

    def _nothing(self, node: str, key: str) -> None:
        self._attempts.miss(node, parse_key(key))

    def _back(self, node: str) -> None:
        self._attempts.stop_again(node)


class _Unfit(Exception):  # noqa: N818 - a no with its reason, not a fault
    """Slurm cannot be asked to start this."""

    def __init__(self, reason: str, *, node: str = "", user: bool = False) -> None:
        super().__init__(reason)
        self.node = node
        self.user = user
