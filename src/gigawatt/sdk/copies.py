"""Copies from and to a rank: one verified stream each, packed and unpacked in a thread while bytes come and go."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.rank.copy import Copied, is_large, kept, receive, send
from gigawatt.rank.entries import CopyError, existing
from gigawatt.rank.kept import Kept
from gigawatt.sdk.background import Background
from gigawatt.sdk.live import Live, Told
from gigawatt.sdk.talks import Talk
from gigawatt.spec.talk import COPY, ERRORS, OUTPUT

SAID_BYTES_MAX = 64 << 10  # by the program at the other end
DAMAGED = "the rank's node did not say what went wrong"

T = TypeVar("T")


def now(work: Coroutine[Any, Any, T]) -> T:
    """Do it in a loop of its own, wherever this is called from."""
    background = Background()
    try:
        return background.call(work)
    finally:
        background.close()


async def fetch(
    live: Live, source: str, target: Path, *, follow: bool = False, told: Told | None = None
) -> Copied:
    """From the rank to here. Raises RefusalError, ApiError, UnreachableError, OSError."""
    left = await asyncio.to_thread(kept, target, PurePosixPath(source).name)
    more = ("--follow",) if follow else ()
    if left is not None:
        more = (*more, "--kept", *(str(each) for each in left))
    talking = await live.run(COPY, "send", source, *more)
    loop = asyncio.get_running_loop()

    def read(_limit: int) -> bytes:
        return asyncio.run_coroutine_threadsafe(talking.read(OUTPUT), loop).result()

    errors = asyncio.create_task(_all_of(talking, ERRORS))
    try:
        return await _verdict(talking, errors, lambda: receive(read, target, told=told))
    finally:
        errors.cancel()
        await talking.close()


async def push(
    live: Live, source: Path, target: str, *, follow: bool = False, told: Told | None = None
) -> Copied:
    """From here to the rank. Raises RefusalError, ApiError, UnreachableError, OSError."""
    left = await _left_there(live, source, target, follow=follow)
    talking = await live.run(COPY, "receive", target)
    loop = asyncio.get_running_loop()

    def write(data: bytes) -> None:
        if talking.ended:
            raise CopyError(DAMAGED, "try again")
        asyncio.run_coroutine_threadsafe(talking.write(data), loop).result()

    errors = asyncio.create_task(_all_of(talking, ERRORS))
    answer = asyncio.create_task(_all_of(talking, OUTPUT))

    def whole() -> None:
        send(source, write, follow=follow, told=told, kept=left)
        asyncio.run_coroutine_threadsafe(talking.end(), loop).result()

    try:
        await _verdict(talking, errors, whole)
        return Copied(**json.loads(await answer))
    finally:
        errors.cancel()
        answer.cancel()
        await talking.close()


async def _left_there(live: Live, source: Path, target: str, *, follow: bool) -> Kept | None:
    """What an earlier copy has left at the rank. Raises RefusalError, ApiError, UnreachableError, OSError."""
    try:
        if not await asyncio.to_thread(is_large, source, follow=follow):
            return None
        name = existing(source).name
    except CopyError as error:
        raise RefusalError(RefusalCode.CONFLICT, str(error), hint=error.hint) from None
    asking = await live.run(COPY, "kept", target, name)
    try:
        await asking.end()
        said = await _all_of(asking, OUTPUT)
        found = json.loads(said) if await asking.wait() == 0 else None
    except ValueError:
        return None
    finally:
        await asking.close()
    return Kept(*found) if found else None


async def _verdict(talking: Talk, errors: "asyncio.Task[bytes]", work: Callable[[], T]) -> T:
    """What came of it. Where it went wrong at both ends, the other one knows why. Raises RefusalError."""
    try:
        done = await asyncio.to_thread(work)
    except CopyError as error:
        if talking.said_all:
            await _raise_theirs(talking, errors)
        raise RefusalError(RefusalCode.CONFLICT, str(error), hint=error.hint) from None
    await _raise_theirs(talking, errors)
    return done


async def _raise_theirs(talking: Talk, errors: "asyncio.Task[bytes]") -> None:
    """Raises RefusalError if the program at the other end failed."""
    code = await talking.wait()
    if code == 0:
        return
    lines = (await errors).decode(errors="replace").strip().splitlines()
    try:
        said: dict[str, str] = json.loads(lines[-1])
        detail, hint = said["detail"], said["hint"]
    except (ValueError, KeyError, TypeError, IndexError):
        detail, hint = (lines[-1] if lines else DAMAGED), "try again"
    raise RefusalError(RefusalCode.CONFLICT, f"at the rank: {detail}", hint=hint)


async def _all_of(talking: Talk, channel: int) -> bytes:
    """All that it says, of which the beginning is kept."""
    found = b""
    while data := await talking.read(channel):
        found += data[: SAID_BYTES_MAX - len(found)]
    return found
