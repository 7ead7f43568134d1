"""Actions carried out: calls to engines and builders. What comes of them returns as observations.

Actions of one gang happen one after another, those of different gangs side by side.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Protocol

from gigawatt.clock import now_ms
from gigawatt.control import resume
from gigawatt.engine.base import Engine, StaleEpochError, UnknownAttemptError
from gigawatt.model.action import (
    Action,
    BuildEnvironment,
    CheckNode,
    DeleteEnvironment,
    NotifyAttempt,
    ProbeAttempt,
    RecallTask,
    ReleaseAttempt,
    RemoveCheckpoints,
    RemoveHome,
    SetNode,
    StartAttempt,
    StopAttempt,
    StoreModel,
)
from gigawatt.model.array import task_id
from gigawatt.model.checkpoint import Candidate, Finding
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.observation import (
    CheckpointsRemoved,
    EnvironmentBuilt,
    EnvironmentDeleted,
    EnvironmentFailed,
    EnvironmentStage,
    HomeRemoved,
    LaunchFailed,
    ModelStored,
    NodeChecked,
    Observation,
    ResumeChosen,
    StacksSeen,
    TaskRecalled,
)
from gigawatt.model.ranges import ranges_of, text
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.stack_groups import grouped

CHECK_TRIES, CHECK_AGAIN_S = 6, 5.0
PROBE_S = 4.0  # for one rank's stacks

log = logging.getLogger(__name__)

NOT_THE_USERS = frozenset(
    {
        RefusalCode.DISK_FULL,
        RefusalCode.UNAVAILABLE,
        RefusalCode.DIGEST_MISMATCH,
        RefusalCode.NOT_FOUND,  # what a job names was there when it was taken in
    }
)

Secrets = tuple[tuple[str, str], ...]  # by name: what ranks are given in files, and nobody is shown


class Workshop(Protocol):
    """What builds and stores on behalf of actions."""

    async def build(
        self, action: BuildEnvironment, on_stage: Callable[[str], None]
    ) -> EnvironmentBuilt | EnvironmentFailed: ...

    async def delete(self, action: DeleteEnvironment) -> EnvironmentDeleted | None: ...

    async def store_model(self, action: StoreModel) -> ModelStored: ...

    async def remove_home(self, action: RemoveHome) -> HomeRemoved: ...


class Archive(Protocol):
    """What has ended, and left the world."""

    async def task(self, action: RecallTask) -> TaskRecalled: ...


class Actuator:
    """`observe` takes what comes of actions; `deposed` is called when an engine knows a later leader."""

    def __init__(
        self,
        *,
        engine: Engine,
        workshop: Workshop,
        archive: Archive,
        secrets_of: Callable[[Launch], Secrets],
        observe: Callable[[Observation], None],
        deposed: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._workshop = workshop
        self._archive = archive
        self._secrets_of = secrets_of
        self._observe = observe
        self._deposed = deposed
        self._last: dict[str, asyncio.Task[None]] = {}
        self.epoch = 0

    def carry_out(self, action: Action) -> None:  # noqa: C901, PLR0912 - one flat table
        """Start an action; those of the same gang wait for the ones before."""
        match action:
            case StartAttempt():
                self._chain(action.launch.gang, partial(self._launch, action.launch))
            case StopAttempt():
                self._chain(action.key.gang, partial(self._stop, action))
            case ProbeAttempt():
                self._chain(action.key.gang, partial(self._probe, action))
            case CheckNode():
                self._chain(f"{action.node} checks", partial(self._check_node, action))
            case NotifyAttempt():
                self._chain(action.key.gang, partial(self._notify, action))
            case ReleaseAttempt():
                self._chain(action.key.gang, partial(self._release, action.key))
            case SetNode():
                self._chain(action.node, partial(self._set_node, action))
            case BuildEnvironment():
                self._chain(action.environment, partial(self._build, action))
            case DeleteEnvironment():
                self._chain(action.environment, partial(self._delete, action))
            case StoreModel():
                self._chain(f"{action.job} model", partial(self._store_model, action))
            case RemoveCheckpoints():
                self._chain(action.job, partial(self._remove_checkpoints, action))
            case RemoveHome():
                self._chain(action.workspace, partial(self._remove_home, action))
            case RecallTask():
                self._chain(task_id(action.array, action.index), partial(self._recall, action))

    async def settle(self, *, timeout_s: float) -> None:
        """Wait for what is under way, at most so long, and give up the rest."""
        if self._last:
            await asyncio.wait(self._last.values(), timeout=timeout_s)
        for task in tuple(self._last.values()):
            task.cancel()

    def _chain(self, subject: str, call: Callable[[], Awaitable[None]]) -> None:
        before = self._last.get(subject)
        task = asyncio.create_task(self._after(before, call))
        self._last[subject] = task
        task.add_done_callback(lambda done: self._done(subject, done))

    async def _after(
        self, before: asyncio.Task[None] | None, call: Callable[[], Awaitable[None]]
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        await call()

    def _done(self, subject: str, task: asyncio.Task[None]) -> None:
        if self._last.get(subject) is task:
            del self._last[subject]
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, StaleEpochError):
            self._deposed()
        elif error is not None:
            log.error("an action for %s failed", subject, exc_info=error)

    async def _launch(self, launch: Launch) -> None:
        key = AttemptKey(gang=launch.gang, attempt=launch.attempt)
        try:
            if launch.bundle:
                nodes = sorted({placement.node for placement in launch.placements})
                await _all(self._engine.prepare(node, (launch.bundle,)) for node in nodes)
            launch = await self._resumed(launch)
            secrets = await self._secrets(launch)
            await self._engine.launch(replace(launch, secrets=secrets), epoch=self.epoch)
        except RefusalError as refusal:
            user = refusal.code not in NOT_THE_USERS
            self._observe(LaunchFailed(at_ms=now_ms(), key=key, reason=refusal.detail, user=user))
        except OSError as error:
            self._observe(LaunchFailed(at_ms=now_ms(), key=key, reason=str(error)))

    async def _secrets(self, launch: Launch) -> Secrets:
        """Those that are kept somewhere are read aside. Raises RefusalError."""
        if launch.uses:
            return await asyncio.to_thread(self._secrets_of, launch)
        return self._secrets_of(launch)

    async def _resumed(self, launch: Launch) -> Launch:
        """The launch with what it resumes from. Raises RefusalError where it must resume and cannot."""
        if not launch.resume:
            return launch
        found = await resume.choose(launch, self._check)
        key = AttemptKey(gang=launch.gang, attempt=launch.attempt)
        path = found.launch.resume_path
        self._observe(ResumeChosen(at_ms=now_ms(), key=key, path=path, findings=found.findings))
        if found.missing:
            fault = found.findings[-1].fault
            detail = f"the checkpoint that it starts from is not valid: {fault}"
            raise RefusalError(RefusalCode.CONFLICT, detail, field="from")
        return found.launch

    async def _check(self, candidate: Candidate) -> Finding:
        return await self._engine.check_checkpoint(candidate, contents=False)

    async def _remove_checkpoints(self, action: RemoveCheckpoints) -> None:
        findings = await self._engine.remove_checkpoints(action.within, action.paths)
        self._observe(CheckpointsRemoved(at_ms=now_ms(), job=action.job, findings=findings))

    async def _stop(self, action: StopAttempt) -> None:
        await asyncio.sleep(action.after_s)
        await self._engine.stop(action.key, grace_s=action.grace_s, epoch=self.epoch)

    async def _notify(self, action: NotifyAttempt) -> None:
        await self._engine.notify(action.key, checkpoint_by_ms=action.checkpoint_by_ms)

    async def _probe(self, action: ProbeAttempt) -> None:
        """Ranks that have ended meanwhile, or cannot be asked, say nothing."""
        asked = (self._stacks_of(action.key, rank) for rank in action.ranks)
        told = dict(zip(action.ranks, await asyncio.gather(*asked), strict=True))
        groups = grouped({rank: said for rank, said in told.items() if said})
        shown = "\n".join(f"{_ranks(each.ranks)}:\n{each.text}" for each in groups)
        self._observe(StacksSeen(at_ms=now_ms(), key=action.key, text=shown))

    async def _stacks_of(self, key: AttemptKey, rank: int) -> str:
        try:
            async with asyncio.timeout(PROBE_S):
                return await self._engine.probe(key, rank)
        except (UnknownAttemptError, RefusalError, TimeoutError, OSError):
            return ""

    async def _check_node(self, action: CheckNode) -> None:
        """Others may run already. A node that cannot be asked is told as lost, or found overdue."""
        for again in reversed(range(CHECK_TRIES)):
            try:
                results = await self._engine.check(action.node, action.level)
            except RefusalError as refusal:
                log.warning("node %s was not checked: %s", action.node, refusal.detail)
                await asyncio.sleep(CHECK_AGAIN_S if again else 0)
                continue
            self._observe(
                NodeChecked(at_ms=now_ms(), node=action.node, results=results, level=action.level)
            )
            return

    async def _set_node(self, action: SetNode) -> None:
        """A node that cannot be told takes nothing all the same: nothing is placed there."""
        try:
            await self._engine.set_node(action.node, action.state, action.reason)
        except RefusalError as refusal:
            log.warning("node %s was not told: %s", action.node, refusal.detail)

    async def _release(self, key: AttemptKey) -> None:
        await self._engine.release(key, epoch=self.epoch)

    async def _build(self, action: BuildEnvironment) -> None:
        def on_stage(stage: str) -> None:
            self._observe(
                EnvironmentStage(at_ms=now_ms(), environment=action.environment, stage=stage)
            )

        self._observe(await self._workshop.build(action, on_stage))

    async def _delete(self, action: DeleteEnvironment) -> None:
        seen = await self._workshop.delete(action)
        if seen is not None:
            self._observe(seen)

    async def _remove_home(self, action: RemoveHome) -> None:
        self._observe(await self._workshop.remove_home(action))

    async def _store_model(self, action: StoreModel) -> None:
        try:
            await self._engine.fetch(action.path)
        except RefusalError as refusal:
            error = refusal.detail
            self._observe(ModelStored(at_ms=now_ms(), job=action.job, error=error))
            return
        self._observe(await self._workshop.store_model(action))

    async def _recall(self, action: RecallTask) -> None:
        self._observe(await self._archive.task(action))


def _ranks(ranks: Iterable[int]) -> str:
    return f"ranks {text(ranges_of((rank, rank) for rank in ranks))}"


async def _all(calls: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*calls)
