"""The twin for who operates a site: scenarios under several policies, and recorded cycles decided again.

Each question is answered in a process of its own, with bounds on its size, its time and its memory; few at once.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt import clock
from gigawatt.model.refusal import Fault, RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.scheduler.policy import POLICIES
from gigawatt.service.lookup import not_found
from gigawatt.service.permissions import verb
from gigawatt.service.services import TWINS_MAX, Played, Services
from gigawatt.spec.faults import nearest

TEXT_BYTES_MAX = 256 << 10
POLICIES_MAX = 4  # side by side
PLAYED_MAX = 32
ID_BYTES = 9
PROGRAM = "gigawatt.twin.apart"
SUFFIX = ".cycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """A recorded cycle that can be decided again."""

    name: str
    at_ms: int
    size_bytes: int


@verb
async def play(caller: Caller, services: Services, text: str, policies: Sequence[str]) -> Played:
    """A scenario's runs, one for each policy, or one under its own. Raises RefusalError with field and line."""
    if len(text.encode()) > TEXT_BYTES_MAX:
        detail = f"the scenario is over {TEXT_BYTES_MAX >> 10} KiB"
        hint = "play it where the file is: gw sim run FILE"
        raise RefusalError(RefusalCode.TOO_LARGE, detail, field="text", hint=hint)
    for policy in policies:
        if policy not in POLICIES:
            detail = f"there is no policy {policy[:100]}"
            hint = nearest(policy, tuple(POLICIES)) or f"allowed: {', '.join(POLICIES)}"
            raise RefusalError(RefusalCode.INVALID, detail, field="policy", hint=hint)
    asked = {"kind": "play", "text": text, "policies": list(policies)[:POLICIES_MAX]}
    runs = (await _ask(services, asked))["runs"]
    booth, name = services.twin, clock.entropy(ID_BYTES).hex()
    done = Played(id=name, at_ms=clock.now_ms(), by=caller.name, text=text, runs=runs)
    booth.played[name] = done
    if len(booth.played) > PLAYED_MAX:
        booth.played.popitem(last=False)
    return done


@verb
async def played(caller: Caller, services: Services) -> list[Played]:
    """What was played since this control plane started, the newest first; the oldest are let go."""
    return list(reversed(services.twin.played.values()))


@verb
async def show(caller: Caller, services: Services, id: str) -> Played:
    """What came of one scenario. Raises RefusalError."""
    found = services.twin.played.get(id)
    if found is None:
        raise not_found("run", id)
    return found


@verb
async def cycles(caller: Caller, services: Services) -> list[Cycle]:
    """Those that the control plane has recorded, the newest first."""
    return await services.read(lambda: _recorded(services.cycles))


@verb
async def replay(caller: Caller, services: Services, name: str) -> dict[str, Any]:
    """What a recorded cycle decides, decided again. Raises RefusalError."""
    known = {each.name for each in await services.read(lambda: _recorded(services.cycles))}
    if name not in known or services.cycles is None:
        raise not_found("cycle", name)
    file = str(services.cycles / f"{name}{SUFFIX}")
    return (await _ask(services, {"kind": "replay", "file": file}))["decision"]


def _recorded(folder: Path | None) -> list[Cycle]:
    found: list[Cycle] = []
    for file in folder.glob(f"*{SUFFIX}") if folder else ():
        with suppress(OSError):  # the ring lets go of the oldest
            if file.stem.isdigit():
                size = file.stat().st_size
                found.append(Cycle(name=file.stem, at_ms=int(file.stem), size_bytes=size))
    return sorted(found, key=lambda each: -each.at_ms)


async def _ask(services: Services, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a process. Raises RefusalError: its own, or for one that took too long."""
    booth = services.twin
    if booth.at_once.locked():
        raise RefusalError(
            RefusalCode.UNAVAILABLE,
            f"{TWINS_MAX} scenarios are being played already",
            hint="try again once one of them is done",
        )
    async with booth.at_once:
        body = json.dumps({**asked, "seconds_max": booth.seconds_max}).encode()
        code, output = await _spoken(body, booth.seconds_max)
    if code != 0 or not output:
        detail = f"it was not done within {booth.seconds_max} s, or took too much memory"
        hint = "fewer jobs or nodes, a shorter time; or play it where you are: gw sim run FILE"
        raise RefusalError(RefusalCode.TOO_LARGE, detail, field="text", hint=hint)
    answer: dict[str, Any] = json.loads(output)
    if "refused" in answer:
        raise _refusal(answer["refused"])
    return answer


async def _spoken(body: bytes, seconds_max: int) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(2 * seconds_max):  # it is bounded in time of its own, too
            output, _ = await process.communicate(body)
    except TimeoutError:
        return None, b""
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return process.returncode, output


def _refusal(told: Mapping[str, Any]) -> RefusalError:
    faults = tuple(Fault(**each) for each in told["faults"])
    return RefusalError(
        RefusalCode.INVALID, told["detail"], field=told["field"], hint=told["hint"], faults=faults
    )
