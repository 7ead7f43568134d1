"""What the engine asks of Slurm, and how it is asked by the commands that every cluster has."""

import asyncio
import os
import re
import tempfile
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from gigawatt.engine.slurm.batch import Batch
from gigawatt.engine.slurm.tables import (
    JOB_FIELDS,
    NODE_FIELDS,
    SEPARATOR,
    SlurmJob,
    SlurmNode,
    parse_job,
    parse_node,
)

Done = TypeVar("Done")

COMMANDS_MAX = 8  # at once
COMMAND_S = 30.0  # Slurm's own MessageTimeout is shorter
CLIENTS = frozenset({"SLURM_CONF", "SLURM_JWT"})  # variables by which they find and convince Slurm
CLOSE_S = 5.0
CANCEL_MAX = 500  # jobs named in one command

UNREACHABLE = re.compile(
    r"unable to contact|connection refused|timed out|communication (?:connection )?failure|"
    r"socket|resolve|backup controller|unexpected message|connect failure|invalid protocol",
    re.IGNORECASE,
)


class SlurmUnavailableError(Exception):
    """The controller does not answer: what it did with a request is not known."""


class SlurmRefusedError(Exception):
    """The controller says no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmFacts:
    """Of the cluster's configuration."""

    cluster: str
    version: str
    silent_s: float  # in which it gives up a node that does not answer, at most


class Slurm(Protocol):
    """Every call raises SlurmUnavailableError or SlurmRefusedError."""

    async def facts(self) -> SlurmFacts: ...

    async def topology(self) -> str:
        """Lines as in topology.conf; "" where there is none."""
        ...

    async def nodes(self, partition: str) -> tuple[SlurmNode, ...]:
        """Of a partition, "" for all; each once."""
        ...

    async def jobs(self) -> tuple[SlurmJob, ...]:
        """All that wait, run or end, ours and others', in one question."""
        ...

    async def submit(self, batch: Batch) -> int:
        """The job's id."""
        ...

    async def cancel(self, jobs: tuple[int, ...]) -> None:
        """Jobs that are over, or never were, are no error."""
        ...

    async def describe(self, job: int) -> str:
        """How a job ended, for people; "" where that is not known any more."""
        ...

    async def drain(self, node: str, reason: str) -> None: ...

    async def resume(self, node: str) -> None: ...

    async def close(self) -> None:
        """Let go of connections, if there are any; it can be asked again."""
        ...


class SlurmCommands:
    """By sinfo, squeue, sbatch, scancel and scontrol. `environ` is added to ours: SLURM_CONF."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        kept = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        self._environ = {**kept, **(environ or {}), "SLURM_TIME_FORMAT": "%s"}
        self._turns = asyncio.Semaphore(COMMANDS_MAX)
        self._left: set[asyncio.Task[str]] = set()  # commands, also those that nobody waits for

    async def facts(self) -> SlurmFacts:
        values = _assignments(await self._run("scontrol", "show", "config"))
        waits = (values.get(name, "") for name in ("SlurmdTimeout", "MessageTimeout"))
        seconds = [int(found[0]) for wait in waits if (found := re.match(r"\d+", wait))]
        return SlurmFacts(
            cluster=values.get("ClusterName", ""),
            version=values.get("SLURM_VERSION", ""),
            silent_s=2.0 * sum(seconds),  # as tried: it asks twice, each time for as long as both
        )

    async def configuration(self) -> Path:
        """The file that these commands go by."""
        return Path(_assignments(await self._run("scontrol", "show", "config"))["SLURM_CONF"])

    async def topology(self) -> str:
        try:
            return await self._run("scontrol", "show", "topology")
        except SlurmRefusedError:
            return ""  # a cluster without any

    async def nodes(self, partition: str) -> tuple[SlurmNode, ...]:
        which = [f"--partition={partition}"] if partition else []
        text = await self._run("sinfo", "-h", "-N", *which, "-O", _format(NODE_FIELDS))
        found = {node.name: node for node in map(parse_node, _lines(text))}
        return tuple(found.values())  # a node is told once for each of its partitions

    async def jobs(self) -> tuple[SlurmJob, ...]:
        text = await self._run("squeue", "-h", "-O", _format(JOB_FIELDS))
        return tuple(map(parse_job, _lines(text)))

    async def submit(self, batch: Batch) -> int:
        environ = batch.user.environ if batch.user else None
        told = await self._run("sbatch", *batch.arguments(), given=batch.script, environ=environ)
        return int(told.strip().partition(";")[0])

    async def cancel(self, jobs: tuple[int, ...]) -> None:
        for first in range(0, len(jobs), CANCEL_MAX):
            names = map(str, jobs[first : first + CANCEL_MAX])
            await self._run("scancel", "--quiet", *names)

    async def describe(self, job: int) -> str:
        try:
            values = _words(await self._run("scontrol", "-o", "show", "job", str(job)))
        except SlurmRefusedError:
            return ""
        parts = [values.get("JobState", ""), values.get("Reason", "")]
        return ": ".join(part for part in parts if part not in {"", "None"})

    async def drain(self, node: str, reason: str) -> None:
        await self._run("scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason={reason}")

    async def resume(self, node: str) -> None:
        await self._run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    async def close(self) -> None:
        """Commands that are under way come to their end, if they do soon."""
        if self._left:
            await asyncio.wait(self._left, timeout=CLOSE_S)

    async def token(self, life_s: int) -> str:
        """A JSON web token for the user that we are, as `scontrol token` prints it."""
        return await self._run("scontrol", "token", f"lifespan={life_s}")

    async def _run(
        self, *command: str, given: str = "", environ: Mapping[str, str] | None = None
    ) -> str:
        """Standard output. `environ` stands in place of our own variables, those apart that clients need. What a command is doing when nobody waits any more, it does to its end."""
        async with self._turns:
            return await to_its_end(self._carry_out(command, given, environ), self._left)

    async def _carry_out(
        self, command: tuple[str, ...], given: str, environ: Mapping[str, str] | None
    ) -> str:
        needed = {name: self._environ[name] for name in CLIENTS if name in self._environ}
        try:
            with _file_of(given) as stdin:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    env=self._environ if environ is None else {**environ, **needed},
                    stdin=stdin,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )
        except OSError as error:
            raise SlurmRefusedError(f"{command[0]} cannot be run: {error.strerror}") from error
        try:
            async with asyncio.timeout(COMMAND_S):
                stdout, stderr = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise SlurmUnavailableError(f"{command[0]} did not end in {COMMAND_S:g} s") from None
        if process.returncode == 0:
            return stdout.decode(errors="replace")
        said = stderr.decode(errors="replace").strip() or f"{command[0]}: {process.returncode}"
        if UNREACHABLE.search(said):
            raise SlurmUnavailableError(said)
        raise SlurmRefusedError(said)


async def to_its_end(work: Coroutine[Any, Any, Done], under_way: "set[asyncio.Task[Done]]") -> Done:
    """What it comes to. It goes on when nobody waits for it any more; how it fails then is nobody's either."""

    def over(task: "asyncio.Task[Done]") -> None:
        under_way.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: nobody may be waiting

    task = asyncio.create_task(work)
    under_way.add(task)
    task.add_done_callback(over)
    return await asyncio.shield(task)


def _file_of(given: str) -> IO[bytes]:
    """What a command reads: a file, for a pipe would have to be written while the command ends as it likes."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asked closes it
    file.write(given.encode())
    file.seek(0)
    return file


def _is_ours(name: str) -> bool:
    """What would get into a job, or change what a command does: ours, and of a job that we may run in ourselves."""
    return name.startswith(("GIGAWATT_", "SBATCH_", "SLURM_", "SQUEUE_", "SINFO_")) and (
        name not in CLIENTS
    )


def _format(fields: tuple[str, ...]) -> str:
    return ",".join(f"{field}:{SEPARATOR}" for field in fields)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _assignments(text: str) -> dict[str, str]:
    """Lines of `Name = value`."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _words(text: str) -> dict[str, str]:
    """Words of `Name=value` in one line."""
    pairs = (word.partition("=") for word in text.split())
    return {name: value for name, equals, value in pairs if equals}
