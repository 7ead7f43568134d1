"""Small files into the store, many in one request: one for each would take longer than its bytes do."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.model_views import MissingView
from gigawatt.sdk.transport import Transport

PACKED_BYTES = 1024 * 1024  # of a file: larger ones go alone
PACK_BYTES = 16 * 1024 * 1024  # of one request, which is held in memory
PACK_FILES = 500
SIDE_BY_SIDE = 2  # one is stored while another is read and on its way
ASKED = 1_000  # files at once


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFile:
    """A file whose digest is known."""

    path: Path
    digest: str
    size: int


def missing(transport: Transport, files: Sequence[SmallFile]) -> list[SmallFile]:
    """Those that are to be sent, each content once. Raises ApiError, UnreachableError."""
    by_digest = {each.digest: each for each in files}
    digests = list(by_digest)
    found: list[SmallFile] = []
    for start in range(0, len(digests), ASKED):
        body = {"digests": digests[start : start + ASKED]}
        answer = cast("MissingView", transport.write("POST", "/v1/packs/missing", body))
        found += [by_digest[digest] for digest in answer["missing"]]
    return found


def send_small(
    transport: Transport,
    files: Sequence[SmallFile],
    place: Mapping[str, str],
    advance: Callable[[int], None],
) -> int:
    """Send them; their bytes. `advance` is told of the bytes of each pack, in several threads.

    Raises RefusalError (conflict where a file changes, invalid where it cannot be read), ApiError, UnreachableError.
    """

    def send(pack: list[SmallFile]) -> int:
        data = _body(pack)
        transport.upload("/v1/packs", lambda: [data], len(data), place)
        size = sum(each.size for each in pack)
        advance(size)
        return size

    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="pack") as threads:
        sending = [threads.submit(send, pack) for pack in _packs(files)]
        try:
            return sum(each.result() for each in sending)
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)
            raise


def _packs(files: Sequence[SmallFile]) -> Iterator[list[SmallFile]]:
    pack: list[SmallFile] = []
    size = 0
    for each in files:
        if pack and (len(pack) == PACK_FILES or size + each.size > PACK_BYTES):
            yield pack
            pack, size = [], 0
        pack.append(each)
        size += each.size
    if pack:
        yield pack


def _body(pack: Sequence[SmallFile]) -> bytes:
    listed = [{"digest": each.digest, "size": each.size} for each in pack]
    line = json.dumps({"files": listed}, separators=(",", ":")).encode() + b"\n"
    return b"".join((line, *(_read(each) for each in pack)))


def _read(file: SmallFile) -> bytes:
    try:
        data = file.path.read_bytes()
    except OSError as error:
        detail = f"cannot read {file.path}: {error.strerror}"
        raise RefusalError(RefusalCode.INVALID, detail, field="path") from error
    if len(data) != file.size:
        detail = f"{file.path} changes while it is read"
        hint = "push it when nothing writes to it"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="path", hint=hint)
    return data
