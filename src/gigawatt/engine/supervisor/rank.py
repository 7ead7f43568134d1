"""One rank on this node: its process, its output, and what it reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gigawatt.engine.supervisor import manifest
from gigawatt.engine.supervisor.digests import Wanted
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.layout import Entry
from gigawatt.engine.supervisor.limits import TASKS_MAX, Cell
from gigawatt.engine.supervisor.logs import SegmentedLog
from gigawatt.engine.supervisor.loop import CLOCK, now_ms
from gigawatt.engine.supervisor.masking import Mask
from gigawatt.engine.supervisor.process import Output, Program, StartError, Stdio, leader_of, spawn
from gigawatt.engine.supervisor.spec import RankSpec
from gigawatt.engine.supervisor.staging import Prepared
from gigawatt.engine.supervisor.tail import Tail
from gigawatt.engine.supervisor.terminal import Size, open_terminal
from gigawatt.engine.supervisor.view import written

TERM = "xterm"  # of a terminal, unless its environment says otherwise
WINDOW = (24, 80)  # of one that nobody looks at
PROGRESS_EVERY_S = 0.2  # at most so often is progress passed on


class Rank:
    """`pid` is 0 before the start. `ended` is set once its exit has been told."""

    def __init__(self, host: Host, prepared: Prepared, rank: RankSpec) -> None:
        spec, directory = prepared.spec, prepared.directory
        self.number = rank.rank
        self.spec = rank
        self.pid = 0
        self.program: Program | None = None
        self.ended = False
        self._host = host
        self._of = spec
        self.cell: Cell | None = None
        self._written = written(spec, directory)  # directories in which its programs may write
        self.terminal: int | None = None  # our end of it, for one that was started with one
        self._starting = False
        self._code: int | None = None  # how it ended, when that is seen before its start
        self._logs = tuple(
            SegmentedLog(
                directory / "logs" / f"rank-{rank.rank}.{stream}",
                limit_bytes=spec.log_bytes_max,
                mask=Mask(prepared.private.masked()),
            )
            for stream in ("stdout", "stderr")
        )
        self._outputs: tuple[Output, ...] = ()
        report = directory / "report"
        self._progress = Tail(report / f"rank-{rank.rank}.progress")
        self._checkpoints = Tail(report / f"rank-{rank.rank}.checkpoints")
        self._unsaid: Entry | None = None
        self._said_s = 0.0

    @property
    def leader(self) -> int:
        """The program's own process."""
        walled = self.program is not None and self.program.room is not None
        return leader_of(self.pid, walled=walled)

    @property
    def runs(self) -> bool:
        return self.pid != 0 and not self.ended

    def start(
        self,
        program: Program,
        on_start: Callable[[StartError | None], None],
        on_exit: Callable[[int], None],
    ) -> None:
        """Raises OSError where the machine makes no process or group."""
        loop = self._host.loop
        if self._of.terminal:
            program = program._replace(environ={"TERM": TERM, **program.environ})
        self.program = program
        self.cell = self._host.limits.cell(
            f"{self._of.key}.{self.number}",
            memory_bytes=self._of.memory_bytes,
            milli_cpu=self._of.milli_cpu,
            tasks_max=self._of.walls.tasks_max if self._of.walls else TASKS_MAX,
        )
        stdio = self._open_terminal() if self._of.terminal else self._open_pipes()
        self._starting = True

        def started(error: StartError | None) -> None:
            self._starting = False
            on_start(error)
            if self._code is not None:
                on_exit(self._code)

        def exited(code: int) -> None:
            if self._starting:
                self._code = code
            else:
                on_exit(code)

        self.pid = spawn(loop, program, self.cell, stdio, started)
        for output in self._outputs:
            output.follow()
        loop.child(self.pid, exited)

    def _open_pipes(self) -> Stdio:
        out, err = (Output(self._host.loop, log.write, log.finish) for log in self._logs)
        self._outputs = (out, err)
        return Stdio(None, out.write_end, err.write_end)

    def _open_terminal(self) -> Stdio:
        """Input and both outputs are one terminal, whose output is on record as stdout."""
        stdout, stderr = self._logs
        stderr.finish()
        pair = open_terminal(Size(*WINDOW))

        def hung_up() -> None:
            self.terminal = None
            stdout.finish()

        self.terminal = pair.ours
        self._outputs = (Output(self._host.loop, stdout.write, hung_up, ends=pair),)
        return Stdio(pair.theirs, pair.theirs, pair.theirs, terminal=True)

    def started_entry(self) -> Entry:
        return {
            "kind": "started",
            "at_ms": now_ms(),
            "rank": self.number,
            "pid": self.leader,
            "address": self._host.address,
        }

    def exited_entry(self, code: int, *, asked: bool) -> Entry:
        """How it ended. Takes in what is left of its output first."""
        self.ended = True
        for output in self._outputs:
            output.drain()
        stdout, stderr = (log.last_lines() for log in self._logs)
        return {
            "kind": "exited",
            "at_ms": now_ms(),
            "rank": self.number,
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "oom": code != 0 and self.cell is not None and self.cell.oom_kills() > 0,
            "asked": asked,
            "lost": False,
            "last_lines": stderr or stdout,
        }

    def reported(self, *, all_of_it: bool = False) -> list[Entry]:
        """New entries from its report files: the newest progress, and every checkpoint that is there."""
        checkpoints = [
            {"kind": "checkpoint", "at_ms": now_ms(), "rank": self.number, "checkpoint": found}
            for raw in self._checkpoints.read()
            if (found := self._looked_at(raw)) is not None
        ]
        for raw in self._progress.read():
            self._unsaid = {
                "kind": "progress",
                "at_ms": now_ms(),
                "rank": self.number,
                "progress": _in_our_time(raw),
            }
        now_s = time.monotonic()
        is_time = all_of_it or bool(checkpoints) or now_s - self._said_s >= PROGRESS_EVERY_S
        if self._unsaid is None or not is_time:
            return checkpoints
        newest, self._unsaid = self._unsaid, None
        self._said_s = now_s
        return [newest, *checkpoints]

    def members(self) -> list[int]:
        """Processes in its control group, where there is one."""
        return self.cell.members() if self.cell else []

    def _looked_at(self, raw: dict[str, Any]) -> dict[str, Any] | None:
        """A reported checkpoint with what its files are; None if it is not there. Its contents are read later."""
        path, step = raw.get("path"), raw.get("step")
        if not isinstance(path, str) or not isinstance(step, int):
            return None
        if not self._may_report(path):
            self._host.notes.note("a checkpoint elsewhere", key=self._of.key, path=path[:256])
            return None
        found = {**_in_our_time(raw), "size_bytes": 0, "files": 0, "manifest": ""}
        if not self._of.checkpoint_dir:
            return found if Path(path).exists() else None
        try:
            seen = manifest.look(path)
        except (manifest.TooManyFilesError, PermissionError) as error:
            self._host.notes.note("no manifest of a checkpoint", key=self._of.key, error=str(error))
            return found
        except (OSError, ValueError):
            return None
        found.update(size_bytes=seen.size_bytes, files=len(seen.files))
        try:
            manifest.keep(seen, self._of.checkpoint_dir)
        except OSError as error:
            self._host.notes.note("no manifest of a checkpoint", key=self._of.key, error=str(error))
            return found
        self._host.digests.want(
            Wanted(path, self._of.checkpoint_dir, seen.digest, partial(self._known, path))
        )
        found["manifest"] = seen.digest
        return found

    def _may_report(self, path: str) -> bool:
        """Whoever is walled must not have us read for them what they cannot: also not through a link."""
        if self._of.walls is None:
            return True
        real = Path(path).resolve()
        return any(real.is_relative_to(Path(each).resolve()) for each in self._written)

    def _known(self, path: str, digest: str) -> None:
        """The digest of a checkpoint's contents is told while there is someone to tell; the manifest keeps it."""
        entry = {"kind": "digest", "at_ms": now_ms(), "rank": self.number, "path": path}
        self._host.emit(self._of.key, {**entry, "digest": digest})

    def close(self) -> None:
        """Nothing of it is left."""
        for output in self._outputs:
            output.drain()
            output.close()
        if not self._outputs:
            for log in self._logs:
                log.finish()
        self._progress.close()
        self._checkpoints.close()
        if self.cell:
            self.cell.remove()
        dropped = sum(log.dropped for log in self._logs)
        if dropped:
            self._host.notes.note(
                "output dropped", key=self._of.key, rank=self.number, bytes=dropped
            )


def _in_our_time(raw: dict[str, Any]) -> dict[str, Any]:
    """What a program has reported, with the host's time in ours."""
    at_ms = raw.get("at_ms")
    return {**raw, "at_ms": CLOCK.of_host(at_ms)} if isinstance(at_ms, int) else raw
