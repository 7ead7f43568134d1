"""What the engine keeps of its batch jobs, on a file system that all nodes see.

slurm/epoch                 the highest epoch of a leader: a supervisor that starts later believes it
slurm/python/               the rank module as package `gigawatt`
slurm/jobs/<key>/job.json   what its supervisors are started with, and the token (0600)
slurm/jobs/<key>/<n>.json   the same, for those of one submission alone: one that was sent twice has two
slurm/jobs/<key>/own/       of a job that is another user's: all of the above that its supervisors need, and theirs
slurm/jobs/<key>/plan.json  what the leader gave it, which its supervisors need not know
slurm/jobs/<key>/id         Slurm's number for it
slurm/jobs/<key>/out        what Slurm and its supervisors had to say
slurm/jobs/<key>/<n>.<node>.at  where the supervisor of a node listens
nodes/<node>/               as any supervisor keeps it, shared by those of several attempts
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gigawatt.engine.base import StaleEpochError
from gigawatt.engine.local.far_talks import Place
from gigawatt.engine.slurm.batch import Share
from gigawatt.engine.slurm.fleet import Plan
from gigawatt.engine.slurm.owners import as_owner, give, let_add, let_pass
from gigawatt.engine.slurm.users import UnixUser, unix_user
from gigawatt.engine.supervisor import sweep
from gigawatt.engine.supervisor.job import JobSpec, read_job
from gigawatt.engine.supervisor.layout import Journal, Layout, write_whole
from gigawatt.engine.supervisor.notes import Notes
from gigawatt.engine.supervisor.record import read_record
from gigawatt.engine.supervisor.workdir import remove_tree

SAID_BYTES = 2000  # of what a failed job wrote, told as the reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Of a supervisor."""

    host: str
    port: int
    pid: int


class Files:
    """Calls block."""

    def __init__(self, data: Path, *, shared: bool = False) -> None:
        self._data = data
        self._shared = shared  # jobs are of several users
        self.root = data / "slurm"
        self.epoch = self.root / "epoch"
        self.python = self.root / "python"
        self.nodes = data / "nodes"
        self._jobs = self.root / "jobs"
        self._notes = Notes("control-plane")

    def make(self) -> None:
        for path in (self._jobs, self.nodes):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._shared:
                let_pass(path, self._data)

    def in_use(self) -> bool:
        """Whether any job is not released yet."""
        return self._jobs.is_dir() and any(self._jobs.iterdir())

    def take_epoch(self, epoch: int) -> None:
        """Put on record who leads. Raises StaleEpochError where a later one does."""
        self.check_epoch(epoch)
        write_whole(self.epoch, str(epoch).encode(), sync=True, mode=0o644)

    def check_epoch(self, epoch: int) -> None:
        """Raises StaleEpochError."""
        with contextlib.suppress(FileNotFoundError):
            seen = int(self.epoch.read_text())
            if epoch < seen:
                raise StaleEpochError(f"epoch {seen} was seen, this is {epoch}")

    def job_file(self, spec: JobSpec) -> Path:
        """Of one submission."""
        name = hashlib.sha256(spec.token.encode()).hexdigest()[:8]
        return self._place(spec) / f"{name}.json"

    def output(self, spec: JobSpec) -> Path:
        return self._place(spec) / "out"

    def write_job(self, spec: JobSpec, plan: Plan) -> None:
        """Raises OSError."""
        path, own = self._jobs / spec.key, self._place(spec)
        path.mkdir(mode=0o700, exist_ok=True)
        (path / "id").unlink(missing_ok=True)
        raw = {"share": asdict(plan.share), "held": dict(plan.held)}
        write_whole(path / "plan.json", json.dumps(raw).encode())
        content = json.dumps(spec._asdict()).encode()
        write_whole(path / "job.json", content)
        if spec.user:
            self._give(spec, unix_user(spec.user))
        with as_owner(self._data, own):
            write_whole(self.job_file(spec), content)

    def write_id(self, key: str, number: int) -> None:
        write_whole(self._jobs / key / "id", str(number).encode())

    def jobs(self) -> list[tuple[JobSpec, Plan, int]]:
        """All that are not released, with Slurm's numbers; 0 where there is none on record."""
        found: list[tuple[JobSpec, Plan, int]] = []
        for path in sorted(self._jobs.iterdir()):
            try:
                spec = read_job(path / "job.json")
                plan = _plan(json.loads((path / "plan.json").read_bytes()))
            except (OSError, ValueError, TypeError, KeyError):
                continue  # it never came to be
            found.append((spec, plan, _number(path / "id")))
        return found

    def address(self, spec: JobSpec, node: str) -> Address | None:
        path = self.job_file(spec)
        try:
            with as_owner(self._data, path):
                raw = json.loads(path.with_name(f"{path.stem}.{node}.at").read_bytes())
        except (OSError, ValueError):
            return None
        return Address(host=str(raw["host"]), port=int(raw["port"]), pid=int(raw["pid"]))

    def places(self, spec: JobSpec, nodes: Iterable[str]) -> list[Place]:
        """Of its supervisors on these nodes, of those that have come."""
        found = [(node, self.address(spec, node)) for node in nodes]
        return [
            Place(node=node, host=at.host, port=at.port, token=spec.token)
            for node, at in found
            if at is not None
        ]

    def said(self, spec: JobSpec) -> str:
        """The end of what a job's script wrote."""
        path = self.output(spec)
        try:
            with as_owner(self._data, path), path.open("rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - SAID_BYTES, 0))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return next((line for line in reversed(lines) if line not in {"", "ready"}), "")

    def view(self, key: str, node: str) -> dict[str, Any] | None:
        """What a node's supervisor has on record of an attempt; None if it never came to start, or is released."""
        if not (self.nodes / node / "live" / key).exists():
            return None
        with self.owned(key, node):
            record = read_record(self._journal(key, node), self._notes)
        return None if record is None else record.view()

    def losses(self, key: str, node: str) -> list[dict[str, Any]]:
        """Entries for ranks whose end is not on record and will not be: how they ended is not known."""
        with self.owned(key, node):
            record = read_record(self._journal(key, node), self._notes)
        return [] if record is None else [sweep.loss(rank) for rank in record.unfinished_ranks()]

    def close(self, key: str, node: str) -> dict[str, Any] | None:
        """Nothing of an attempt is left on a node: put that on record too. As `view`."""
        with self.owned(key, node):
            record = read_record(self._journal(key, node), self._notes)
            if record is None:
                return None
            sweep.close(self._layout(key, node), record)
            return record.view()

    def was_released(self, key: str, node: str) -> bool:
        return self._layout(key, node).was_released(key)

    def release(self, key: str, node: str) -> None:
        """Forget an attempt on a node, and keep its logs."""
        layout = self._layout(key, node)
        layout.release(key)
        with self.owned(key, node):
            for name in ("work", "secrets"):
                remove_tree(layout.attempts / key / name)
        with as_owner(self._data, layout.own):
            remove_tree(layout.own)

    def forget(self, key: str) -> None:
        """All nodes have released it."""
        shutil.rmtree(self._jobs / key, ignore_errors=True)

    def owned(self, key: str, node: str) -> AbstractContextManager[None]:
        """What is done meanwhile to an attempt's files is done as whose they are."""
        return as_owner(self._data, self.nodes / node / "attempts" / key)

    def give_directory(self, path: Path, user: str) -> None:
        """A directory below ours, for that user alone. Raises OSError."""
        let_pass(path.parent, self._data)
        found = unix_user(user)
        give(path, found.uid, found.gid)

    def _place(self, spec: JobSpec) -> Path:
        """Of what its supervisors read and write."""
        path = self._jobs / spec.key
        return path / "own" if spec.user else path

    def _give(self, spec: JobSpec, user: UnixUser) -> None:
        """All directories in which a supervisor that is another user writes. Raises OSError."""
        give(self._place(spec), user.uid, user.gid)
        let_pass(self._jobs / spec.key, self._data)
        for node in spec.addresses:
            layout = Layout(self.nodes / node)
            let_pass(layout.root, self._data)
            for path in (layout.live, layout.attempts, layout.root / "alone"):
                let_add(path)
            give(layout.root / "alone" / spec.key, user.uid, user.gid)

    def _layout(self, key: str, node: str) -> Layout:
        return Layout(self.nodes / node, key=key)

    def _journal(self, key: str, node: str) -> Journal:
        return Journal(self.nodes / node / "attempts" / key / "journal")


def _plan(raw: dict[str, Any]) -> Plan:
    held = {str(node): tuple(map(str, devices)) for node, devices in raw["held"].items()}
    return Plan(share=Share(**raw["share"]), held=held)


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
