"""Small files of a stored tree, many in one answer: a request for each would take longer than its bytes do."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import httpx2

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import TreeFile
from gigawatt.sdk.errors import ApiError, UnreachableError
from gigawatt.sdk.small_files import PACK_BYTES, PACK_FILES, PACKED_BYTES
from gigawatt.sdk.transport import Transport

SIDE_BY_SIDE = 2  # one is written while another is on its way
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """Files of a tree that follow one another in its manifest, from the one numbered `start` on."""

    start: int
    files: tuple[TreeFile, ...]

    @property
    def stop(self) -> int:
        return self.start + len(self.files)

    @property
    def size(self) -> int:
        return sum(each.size for each in self.files)


Write = Callable[[TreeFile, memoryview], None]  # a file, and its bytes, which have its digest


def packs_of(files: Sequence[TreeFile], wanted: Callable[[TreeFile], bool]) -> list[Pack]:
    """The wanted ones of a manifest's files that are small, in packs; one alone is a pack too."""
    packs: list[Pack] = []
    run: list[TreeFile] = []
    run_bytes = 0
    for number, file in enumerate(files):
        joins = file.size < PACKED_BYTES and wanted(file)
        if run and (not joins or len(run) == PACK_FILES or run_bytes + file.size > PACK_BYTES):
            packs.append(Pack(start=number - len(run), files=tuple(run)))
            run, run_bytes = [], 0
        if joins:
            run.append(file)
            run_bytes += file.size
    if run:
        packs.append(Pack(start=len(files) - len(run), files=tuple(run)))
    return packs


def fetch_packs(transport: Transport, tree: str, packs: Sequence[Pack], write: Write) -> None:
    """Have every file of the packs written, each once its digest is right. `write` is called in several threads.

    Raises RefusalError (digest-mismatch), ApiError, UnreachableError; what was written by then stays.
    """

    def fetch(pack: Pack) -> None:
        body = memoryview(_body(transport, tree, pack))
        for file, data in _split(pack, body):
            got = hashlib.sha256(data).hexdigest()
            if got != file.sha256:
                raise damaged(transport, tree, file, f"sha256:{file.sha256}", f"sha256:{got}")
            write(file, data)

    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="pack") as threads:
        fetching = [threads.submit(fetch, each) for each in packs]
        try:
            for each in fetching:
                each.result()
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)
            raise


def damaged(transport: Transport, tree: str, file: TreeFile, wanted: str, got: str) -> RefusalError:
    """The refusal of a file that is not what it should be, once the store has looked at its own copy: a damaged one goes,
    so that it is fetched anew where there is another, and can be pushed anew where there is none.
    """
    with suppress(ApiError, UnreachableError):  # what was found here is to be told, not that
        transport.write("POST", f"/v1/artifacts/{tree}/file/check", params={"path": file.path})
    return mismatch(file.path, wanted, got)


def mismatch(what: str, wanted: str, got: str) -> RefusalError:
    """The refusal of bytes that are not what the manifest calls them."""
    return RefusalError(
        RefusalCode.DIGEST_MISMATCH,
        f"{what} has {got}, not {wanted}",
        field="digest",
        hint="it was damaged on its way or in the store; ask again, and if it stays so, push it anew",
    )


def _body(transport: Transport, tree: str, pack: Pack) -> bytearray:
    pauses = transport.pauses()
    while True:
        try:
            return _received(transport, tree, pack)
        except httpx2.TransportError as error:
            if next(pauses, None) is None:
                raise transport.unreachable(error) from error


def _received(transport: Transport, tree: str, pack: Pack) -> bytearray:
    body = bytearray()
    params = {"start": pack.start, "stop": pack.stop}
    with transport.stream(f"/v1/artifacts/{tree}/files", params) as response:
        for chunk in response.iter_raw(CHUNK_BYTES):
            body += chunk
            if len(body) > pack.size:
                raise mismatch("the answer", f"{pack.size} bytes", "more than that")
    if len(body) < pack.size:
        raise httpx2.RemoteProtocolError(f"{pack.size - len(body)} bytes of files did not come")
    return body


def _split(pack: Pack, body: memoryview) -> Iterator[tuple[TreeFile, memoryview]]:
    start = 0
    for file in pack.files:
        yield file, body[start : start + file.size]
        start += file.size
