"""The artifact store as the service sees it."""

from collections.abc import AsyncIterator

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.trees import MANIFEST_BYTES_MAX
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.ports import Stored

TREE = "tree"


class Contents:
    """Implements `service.ports.Artifacts` on this instance's own disk."""

    def __init__(self, artifacts: ArtifactStore, *, limit_bytes: int) -> None:
        self._artifacts = artifacts
        self._limit_bytes = limit_bytes

    async def put(self, digest: str, kind: str, chunks: AsyncIterator[bytes]) -> Stored:
        """A tree's manifest is taken once every file that it names is there."""
        stored = await self._artifacts.put_stream_async(
            digest, chunks, limit_bytes=self._limit_bytes
        )
        if kind != TREE:
            return Stored(digest=digest, size_bytes=stored.size_bytes, files=1)
        manifest = self._artifacts.tree(digest)
        missing = self._artifacts.lacks(manifest)
        if missing:
            raise RefusalError(
                RefusalCode.CONFLICT,
                f"{len(missing)} of the tree's files are not there, first {missing[0]}",
                hint="put the files first, then the manifest",
            )
        return Stored(digest=digest, size_bytes=manifest.size_bytes, files=len(manifest.files))

    def find(self, digest: str) -> Stored | None:
        if not self._artifacts.exists(digest):
            return None
        size = self._artifacts.size(digest)
        if size <= MANIFEST_BYTES_MAX:
            try:
                manifest = self._artifacts.tree(digest)
            except RefusalError:
                return Stored(digest=digest, size_bytes=size, files=1)
            return Stored(digest=digest, size_bytes=manifest.size_bytes, files=len(manifest.files))
        return Stored(digest=digest, size_bytes=size, files=1)
