"""Runs the attacks one after another: a victim of one tenant that stays, and gangs of another that try."""

import asyncio
import inspect
import json
import sys
import tempfile
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gigawatt.engine.conformance.bench import NO_FAULTS, Bench
from gigawatt.engine.conformance.report import UnsupportedError
from gigawatt.engine.local import LocalEngine, shut_down_supervisors
from gigawatt.engine.local.walls import WallRules, probe_walls
from gigawatt.engine.supervisor.room import FILES_MAX
from gigawatt.model.gang import Isolation
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, CheckpointSaved, LaunchFailed, RankExited
from gigawatt.model.resources import Resources
from gigawatt.server.hostile import on_files, on_kernel, on_processes, program
from gigawatt.server.hostile.archives import archive_tricks
from gigawatt.server.hostile.attacks import ATTACKS, Attack, By
from gigawatt.server.hostile.prey import MARK, Prey, lay_out, victim
from gigawatt.server.hostile.report import Outcome, Report, Seen

TASKS_MAX = 48
MEMORY_BYTES = 256 << 20
LOG_BYTES = 1 << 20
OURS = "from gigawatt.server.hostile.program import FACTS, SucceededError, attack\n"


async def run(kind: Isolation, *, only: Collection[str] = ()) -> Report:
    """Those of a rank or a client, on a local engine of its own. Raises UnsupportedError where this machine has not
    that class.
    """
    rules = replace(probe_walls(), tasks_max=TASKS_MAX)
    if kind is not Isolation.NONE and kind not in rules.classes:
        lacks = rules.lacks or "it takes root"
        raise UnsupportedError(f"isolation {kind.value} is not to be had on this machine: {lacks}")
    chosen = [
        each for each in ATTACKS if each.by is not By.TOKEN and (not only or each.name in only)
    ]
    async with _scene(kind, rules) as scene:
        outcomes = [await scene.outcome(each) for each in chosen]
    return Report(isolation=kind.value, outcomes=tuple(outcomes))


@asynccontextmanager
async def _scene(kind: Isolation, rules: WallRules) -> "AsyncGenerator[_Scene]":
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        data = Path(directory)
        bench = Bench(
            lambda: LocalEngine(data, nodes=1, walls=rules),
            faults=NO_FAULTS,
            epoch=1,
            scratch=data,
            tag="hostile",
        )
        prey = lay_out(data)
        try:
            await bench.start("hostile")
            key, told = await victim(bench, prey, kind)
            yield _Scene(bench, prey, kind, key, told)
            await bench.finish()
        finally:
            prey.close()
            await shut_down_supervisors(data, grace_s=0)


class _Scene:
    def __init__(
        self,
        bench: Bench,
        prey: Prey,
        kind: Isolation,
        victim_key: AttemptKey,
        told: dict[str, Any],
    ) -> None:
        self._bench = bench
        self._prey = prey
        self._kind = kind
        self._victim = victim_key
        self._facts = {
            **prey.facts,
            **told,
            "mark": MARK,
            "tasks_max": TASKS_MAX,
            "files_max": FILES_MAX,
        }

    async def outcome(self, attack: Attack) -> Outcome:
        expected = "open" if self._kind in attack.open_in else "contained"
        if attack.by is By.CLIENT:
            seen, evidence = await asyncio.to_thread(archive_tricks, self._prey.data)
        elif self._kind is Isolation.NODE and attack.stopped_by == "no neighbours":
            seen, evidence = "contained", "the scheduler places nobody else's gang on the node"
        else:
            seen, evidence = await self._tried(attack)
        return Outcome(name=attack.name, expected=expected, seen=seen, evidence=evidence)

    async def _tried(self, attack: Attack) -> tuple[Seen, str]:
        launch = self._bench.build(
            sys.executable,
            "-I",
            "-c",
            _source(),
            attack.name,
            tenant="hostile",
            env=(("HOSTILE_FACTS", json.dumps(self._facts)),),
            per_rank=Resources(milli_cpu=500, memory_bytes=MEMORY_BYTES),
            model_path=str(self._prey.weights),
            checkpoint_dir=str(self._prey.data / "work" / attack.name / "checkpoints"),
            isolation=self._kind,
            log_bytes_max=LOG_BYTES,
        )
        key = await self._bench.launch(launch)
        if attack.name == "link-in-report":
            await self._bench.wait_for_output(key, "planted")
            await self._bench.engine.notify(key, checkpoint_by_ms=1)
        end = await self._bench.wait(AttemptGone, LaunchFailed, key=key)
        if isinstance(end, LaunchFailed):
            return "broken", end.reason
        seen, evidence = await self._read(key)
        harm = await self._harm(attack, key)
        return ("open", harm) if harm else (seen, evidence)

    async def _read(self, key: AttemptKey) -> tuple[Seen, str]:
        end = self._bench.told(RankExited, key)[0]
        if end.oom or end.signal == 9:
            return "contained", "it was killed for it"
        chunk = await self._bench.engine.read_log(key, 0, "stdout", offset=-4096, limit=4096)
        lines = chunk.data.decode(errors="replace").splitlines()
        try:
            said = json.loads(lines[-1])
        except (IndexError, ValueError):
            return "broken", " ".join(end.last_lines)[-300:]
        return ("contained" if said["held"] else "open"), said["said"]

    async def _harm(self, attack: Attack, key: AttemptKey) -> str:
        """What it did that it cannot see itself; empty for nothing."""
        if self._prey.token.read_text() != self._prey.secret:
            return "the operator's token was overwritten"
        if self._bench.told(RankExited, self._victim):
            return "the other gang has ended"
        if attack.name == "checkpoint-link" and self._bench.told(CheckpointSaved, key):
            return "another's file is on record as its checkpoint"
        kept = await self._kept(key) if attack.name == "log-flood" else 0
        return f"{kept} bytes of output are kept" if kept > 2 * LOG_BYTES else ""

    async def _kept(self, key: AttemptKey) -> int:
        """Bytes of its output."""
        kept = offset = 0
        while True:
            chunk = await self._bench.engine.read_log(
                key, 0, "stdout", offset=offset, limit=1 << 18
            )
            kept, offset = kept + len(chunk.data), chunk.offset + len(chunk.data)
            if chunk.end or not chunk.data:
                return kept


def _source() -> str:
    """The hostile program as one text."""
    parts = [inspect.getsource(each) for each in (on_files, on_processes, on_kernel)]
    return "\n".join(
        [inspect.getsource(program), *(each.replace(OURS, "") for each in parts), "main()"]
    )
