"""One desk, put together and run: the program started, its use told every few seconds, everything ended together."""

from __future__ import annotations

import asyncio
import ctypes
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from gigawatt import rank
from gigawatt.rank.desk.facts import Facts, code_directory, read_facts
from gigawatt.rank.desk.front import Front
from gigawatt.rank.desk.measure import Cpu, Gpus, Kernels, kernels
from gigawatt.rank.desk.program import MissingError, Program, program_of
from gigawatt.rank.desk.terminal import Terminals
from gigawatt.rank.desk.volumes import link_volumes

MEASURED_EVERY_S = 5.0
MISSING = 127  # as a shell says it
PR_SET_CHILD_SUBREAPER = 36


async def run() -> int:
    """The exit code: the program's own, 0 after a SIGTERM, 127 where the program is not there."""
    facts = read_facts()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # all it leaves is measured too
    private = Path(tempfile.mkdtemp(prefix="gw-"))
    try:
        check_home(facts.home)
        code = code_directory(facts, Path.cwd())
        for problem in link_volumes(facts, Path.cwd(), code):
            sys.stderr.write(f"{problem}\n")
        return await _serve(facts, code, program_of(facts, private, code))
    except MissingError as error:
        sys.stderr.write(f"{error}\n")
        return MISSING
    finally:
        shutil.rmtree(private, ignore_errors=True)


def check_home(home: Path) -> None:
    """It was made where the leader is. Raises MissingError: another directory at its path would be an empty home."""
    if not home.is_dir():
        raise MissingError(
            f"the home {home} is not there: this node does not see the file system of homes; GIGAWATT_HOMES names "
            "a directory that all nodes share"
        )


async def _serve(facts: Facts, code: Path, program: Program | None) -> int:
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    terminals = Terminals(code)
    front = Front(facts, program, terminals)
    server = await front.serve()
    loop = asyncio.get_running_loop()
    finishing = loop.run_in_executor(None, program.finish) if program else None
    front.wait_for(finishing)
    measuring = asyncio.ensure_future(_measured(facts, program, terminals, front))
    try:
        if program is None:
            await asked.wait()
            return 0
        return await _followed(program, asked)
    finally:
        measuring.cancel()
        terminals.close()
        server.close()


async def _followed(program: Program, asked: asyncio.Event) -> int:
    """Start the program; its end, or ours."""
    process = await asyncio.create_subprocess_exec(
        *program.argv,
        env=program.environ,
        cwd=program.directory,
        stdin=asyncio.subprocess.DEVNULL,
    )
    ended = asyncio.ensure_future(process.wait())
    stopped = asyncio.ensure_future(asked.wait())
    await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if asked.is_set():
        if process.returncode is None:
            process.terminate()
        await ended  # the supervisor's patience is the limit
        return 0
    code = await ended
    return code if code >= 0 else 128 - code


async def _measured(
    facts: Facts, program: Program | None, terminals: Terminals, front: Front
) -> None:
    """Tell what is used, as metrics of the rank, for as long as it runs."""
    cpu, gpus = Cpu(), Gpus(facts.devices)
    moved, last = 0, Kernels(0, "")
    while True:
        await asyncio.sleep(MEASURED_EVERY_S)
        now = await kernels(program, facts)
        more = terminals.moved - moved + (now.last_activity > last.last_activity)
        moved, last = terminals.moved, now
        rank.report(
            desk_milli_cpu=cpu.milli_cpu(),
            desk_gpu_percent=gpus.percent(),
            desk_busy=now.busy,
            desk_moved=more,
            desk_connections=front.connections,
        )
