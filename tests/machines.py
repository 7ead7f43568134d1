"""A small model of machines for tests of the loop: it carries out actions and tells what comes of them.

It keeps the engine contract (a launch starts once, a stop ends what runs, a release forgets) without processes, so
that thousands of histories can be tried in a second. The local engine itself is tested with real processes elsewhere.
"""

from dataclasses import dataclass, field

from gigawatt.model.action import (
    Action,
    BuildEnvironment,
    ReleaseAttempt,
    RemoveCheckpoints,
    RemoveHome,
    StartAttempt,
    StopAttempt,
    StoreModel,
)
from gigawatt.model.checkpoint import Checkpoint, Finding
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import Gpu, NodeReport
from gigawatt.model.observation import (
    AttemptGone,
    CheckpointSaved,
    CheckpointsRemoved,
    EnvironmentBuilt,
    HomeRemoved,
    LaunchAccepted,
    ModelStored,
    NodeLost,
    NodeSeen,
    Observation,
    RankExited,
    RankStarted,
    ReplicaReadiness,
    ResumeChosen,
)
from gigawatt.model.resources import Resources
from gigawatt.reconcile.adopt import Found

GIB = 1 << 30
PORT = 20_000


def a_report(name: str, *, milli_cpu: int = 2_000, gpus: int = 0, rack: str = "r0") -> NodeReport:
    devices = tuple(
        Gpu(uuid=f"{name}-gpu-{index}", index=index, kind="b200", memory_bytes=192 * GIB)
        for index in range(gpus)
    )
    return NodeReport(
        id=name,
        total=Resources(milli_gpu=1_000 * gpus, milli_cpu=milli_cpu, memory_bytes=8 * GIB),
        topology=("site", "hall", "spine", "leaf", rack, "", name),
        address="127.0.0.1",
        gpus=devices,
    )


@dataclass(slots=True)
class Running:
    launch: Launch
    pids: dict[int, int]
    live: set[int]
    gone: bool = False


@dataclass(slots=True)
class Machines:
    """`now_ms` is the test's clock; observations collect in `told`."""

    reports: dict[str, NodeReport]
    now_ms: int = 1_000
    told: list[Observation] = field(default_factory=list[Observation])
    attempts: dict[AttemptKey, Running] = field(default_factory=dict[AttemptKey, Running])
    starts: list[AttemptKey] = field(default_factory=list[AttemptKey])
    down: set[str] = field(default_factory=set[str])
    replicas_become_ready: bool = True
    port: int = PORT  # where whatever is launched is said to answer
    broken: dict[str, str] = field(default_factory=dict[str, str])  # paths of checkpoints, and why
    removed: list[str] = field(default_factory=list[str])
    _pid: int = 100

    def carry_out(self, action: Action) -> None:
        match action:
            case StartAttempt():
                self._launch(action.launch)
            case StopAttempt():
                self.stop(action.key)
            case ReleaseAttempt():
                self.attempts.pop(action.key, None)
            case BuildEnvironment():
                self.told.append(
                    EnvironmentBuilt(
                        at_ms=self.now_ms,
                        environment=action.environment,
                        path=f"/environments/{action.environment}",
                        lock="",
                        size_bytes=1,
                        build_ms=1,
                    )
                )
            case StoreModel():
                self.told.append(
                    ModelStored(
                        at_ms=self.now_ms, job=action.job, digest="sha256:00", size_bytes=1, files=1
                    )
                )
            case RemoveCheckpoints():
                self.removed += action.paths
                findings = tuple(Finding(path=path) for path in action.paths)
                self.told.append(
                    CheckpointsRemoved(at_ms=self.now_ms, job=action.job, findings=findings)
                )
            case RemoveHome():
                self.removed.append(action.path)
                self.told.append(HomeRemoved(at_ms=self.now_ms, workspace=action.workspace))
            case _:
                pass

    def found(self) -> Found:
        """What a new leader is told."""
        retold: list[Observation] = [
            NodeSeen(at_ms=self.now_ms, report=report)
            for name, report in self.reports.items()
            if name not in self.down
        ]
        for key, running in self.attempts.items():
            retold.append(LaunchAccepted(at_ms=self.now_ms, key=key, port=self.port))
            retold += [self._started(key, rank, pid) for rank, pid in running.pids.items()]
            ended = [rank for rank in running.pids if rank not in running.live]
            retold += [
                RankExited(at_ms=self.now_ms, key=key, rank=rank, exit_code=0) for rank in ended
            ]
            if running.gone:
                retold.append(AttemptGone(at_ms=self.now_ms, key=key))
        nodes = tuple(sorted(set(self.reports) - self.down))
        return Found(nodes=nodes, attempts=tuple(self.attempts), observations=tuple(retold))

    def exit(
        self, key: AttemptKey, rank: int, *, code: int | None = 0, signal: int | None = None
    ) -> None:
        """A rank ends by itself."""
        running = self.attempts.get(key)
        if running is None or rank not in running.live:
            return
        running.live.discard(rank)
        self.told.append(
            RankExited(
                at_ms=self.now_ms,
                key=key,
                rank=rank,
                exit_code=None if signal else code,
                signal=signal,
            )
        )
        self._gone_if_empty(key, running)

    def stop(self, key: AttemptKey) -> None:
        running = self.attempts.get(key)
        if running is None:
            self.told.append(AttemptGone(at_ms=self.now_ms, key=key))
            return
        for rank in sorted(running.live):
            self.told.append(
                RankExited(at_ms=self.now_ms, key=key, rank=rank, signal=15, asked=True)
            )
        running.live.clear()
        self._gone_if_empty(key, running)

    def checkpoint(self, key: AttemptKey, step: int, *, rank: int = 0) -> None:
        if key in self.attempts and self.attempts[key].live:
            path = f"step-{step}" + (f"-{rank}" if rank else "")
            saved = Checkpoint(step=step, path=path, at_ms=self.now_ms, rank=rank)
            self.told.append(CheckpointSaved(key=key, rank=rank, checkpoint=saved))

    def lose(self, node: str) -> None:
        """A node and all that ran there are gone."""
        if node in self.down:
            return
        self.down.add(node)
        for running in self.attempts.values():
            running.live -= {p.rank for p in running.launch.placements if p.node == node}
        self.told.append(NodeLost(at_ms=self.now_ms, node=node, reason="pulled"))
        for key, running in self.attempts.items():
            if not running.live:
                self._gone_if_empty(key, running)

    def back(self, node: str) -> None:
        if node in self.down:
            self.down.discard(node)
            self.told.append(NodeSeen(at_ms=self.now_ms, report=self.reports[node]))

    def _launch(self, launch: Launch) -> None:
        key = AttemptKey(gang=launch.gang, attempt=launch.attempt)
        if key in self.attempts:
            return
        self.starts.append(key)
        if launch.resume:
            self.told.append(self._chosen(key, launch))
        ranks = [placement.rank for placement in launch.placements]
        pids = {rank: self._pid + rank for rank in ranks}
        self._pid += len(ranks)
        self.attempts[key] = Running(launch, pids, set(ranks))
        self.told.append(LaunchAccepted(at_ms=self.now_ms, key=key, port=self.port))
        self.told += [self._started(key, rank, pid) for rank, pid in pids.items()]
        if launch.kind is not GangKind.JOB and self.replicas_become_ready:
            self.told.append(ReplicaReadiness(at_ms=self.now_ms, key=key, ready=True))

    def _chosen(self, key: AttemptKey, launch: Launch) -> ResumeChosen:
        paths = [each.checkpoint.path for each in launch.resume]
        chosen = next((path for path in paths if path not in self.broken), "")
        looked_at = paths[: paths.index(chosen) + 1] if chosen else paths
        findings = tuple(Finding(path=path, fault=self.broken.get(path, "")) for path in looked_at)
        return ResumeChosen(at_ms=self.now_ms, key=key, path=chosen, findings=findings)

    def _started(self, key: AttemptKey, rank: int, pid: int) -> RankStarted:
        return RankStarted(at_ms=self.now_ms, key=key, rank=rank, pid=pid, address="127.0.0.1")

    def _gone_if_empty(self, key: AttemptKey, running: Running) -> None:
        if not running.live and not running.gone:
            running.gone = True
            self.told.append(AttemptGone(at_ms=self.now_ms, key=key))
