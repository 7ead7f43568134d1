"""One large file into the store part by part: an upload that broke goes on where it was, also after a restart of either end."""

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.transport import Transport

PARTED_BYTES = 32 * 1024 * 1024  # smaller files are sent whole
SIDE_BY_SIDE = 2  # parts at once: one is hashed and read while another is on its way
CONFLICT = 409
ROUNDS_MAX = 3  # of sending what is missing; more than one where parts were damaged on the way


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedFile:
    """A file whose digest is known."""

    path: Path
    digest: str
    size: int


def send_parts(
    transport: Transport,
    file: PartedFile,
    place: Mapping[str, str],
    tell: Callable[[int], None],
) -> int:
    """Send the parts that are not there, and have them put together; the bytes that were sent.

    `tell` is told how many bytes are through. Raises RefusalError where the file changes meanwhile; ApiError,
    UnreachableError: what arrived stays for the next try.
    """
    where = f"/v1/artifacts/{file.digest}/parts"
    sent = 0
    for left in reversed(range(ROUNDS_MAX)):
        sent += _send_missing(transport, file, where, tell)
        try:
            _finish(transport, where, {**place, "size": str(file.size)})
        except ApiError as error:
            if error.problem.status != CONFLICT or not left:
                raise
        else:
            break
    return sent


def _send_missing(
    transport: Transport, file: PartedFile, where: str, tell: Callable[[int], None]
) -> int:
    found = cast("dict[str, Any]", transport.read(where))
    part_bytes: int = found["part_bytes"]
    there: dict[int, str] = {each["number"]: each["sha256"] for each in found["parts"]}
    through = [0]
    with file.path.open("rb") as source, ThreadPoolExecutor(SIDE_BY_SIDE) as threads:

        def send(number: int) -> int:
            start = number * part_bytes
            data = os.pread(source.fileno(), part_bytes, start)
            if start + len(data) != min(start + part_bytes, file.size):
                raise _changed(file)
            sha256 = hashlib.sha256(data).hexdigest()
            missing = there.get(number) != sha256
            if missing:
                path = f"{where}/{number}"
                transport.upload(path, lambda: [data], len(data), {"sha256": sha256})
            through[0] += len(data)
            tell(through[0])
            return len(data) if missing else 0

        numbers = range(-(-file.size // part_bytes))
        futures = [threads.submit(send, number) for number in numbers]
        try:
            sent = sum(each.result() for each in futures)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return sent


def _finish(transport: Transport, where: str, params: Mapping[str, str]) -> None:
    """Have the whole proven and stored, however long that takes."""
    answer: dict[str, Any] = {"finishing": True}
    while answer.get("finishing"):  # each call waits for some seconds by itself
        answer = transport.upload(where, list, 0, params)


def _changed(file: PartedFile) -> RefusalError:
    return RefusalError(
        RefusalCode.CONFLICT,
        f"{file.path} had {file.size} bytes, and has fewer now",
        field="path",
        hint="push it when nothing writes to it any more",
    )
