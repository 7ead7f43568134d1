"""Many small files into the store at once: a thread waits for the disk for each, and the disk writes them together."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.digest import PREFIX, mismatch

SIDE_BY_SIDE = 8


def store_pack(store: ArtifactStore, files: Mapping[str, memoryview]) -> None:
    """Store bytes by digest, proven also where the store has them: who knows a digest alone is given nothing.

    Raises RefusalError (digest-mismatch, and as `ArtifactStore.put_stream`); those before it are stored then.
    """

    def put(digest: str, data: memoryview) -> None:
        got = PREFIX + hashlib.sha256(data).hexdigest()
        if got != digest:
            raise mismatch(wanted=digest, got=got)
        store.put_stream(digest, [bytes(data)])

    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="unpack") as threads:
        putting = [threads.submit(put, digest, data) for digest, data in files.items()]
        try:
            for each in putting:
                each.result()
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)
            raise
