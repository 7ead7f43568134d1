"""The artifact store: files by digest, written once, never changed.

Whether a tenant may see an artifact is not known here: services ask their records.
"""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterable, Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from gigawatt.build.cache import Cache
from gigawatt.build.digest import PREFIX, copy_checked, digest_of, mismatch, parse_digest
from gigawatt.build.incoming import (
    DIGESTS,
    Incoming,
    Stored,
    place_of,
    place_whole,
    sweep_incoming,
)
from gigawatt.build.kept import settle
from gigawatt.build.making import making, sweep_partials
from gigawatt.build.marks import Marks
from gigawatt.build.receiving import write_behind
from gigawatt.build.remote import Listed, Remote
from gigawatt.build.room import room_needed
from gigawatt.build.tree_files import find_files, find_root, open_inside
from gigawatt.build.trees import (
    HEX,
    MANIFEST_BYTES_MAX,
    TreeFile,
    TreeManifest,
    encode_manifest,
    manifest_of,
    parse_manifest,
)
from gigawatt.build.uploads import Uploads
from gigawatt.clock import now_ms
from gigawatt.engine.local.aside import discard, mark_used
from gigawatt.model.refusal import RefusalCode, RefusalError

FILE_BYTES_MAX = 1 << 40
TREE_BYTES_MAX = 1 << 42

log = logging.getLogger(__name__)


class ArtifactStore:
    """Artifacts below `root`. Calls block unless they say otherwise; any number of processes may share a root.

    With a `remote`, what is below `root` is a cache of it: a file has its place here only once the remote has it, and
    is fetched, verified, when it is asked for and is not here; `cache_bytes_max` limits it, 0 does not.
    """

    def __init__(
        self, root: Path, remote: Remote | None = None, *, cache_bytes_max: int = 0
    ) -> None:
        self._root = root.absolute()
        self._remote = remote
        self._keep = self._send if remote is not None else None
        self._marks = Marks(self._root / "used")
        self.cache = Cache(self._root / DIGESTS, cache_bytes_max if remote is not None else 0)
        self.uploads = Uploads(self._root / "uploads", self._take)
        self._owned = False  # the remote, as far as has been asked
        self._fetching: dict[str, threading.Lock] = {}

    def put_stream(
        self, digest: str, chunks: Iterable[bytes], *, limit_bytes: int = FILE_BYTES_MAX
    ) -> Stored:
        """Store the bytes that `chunks` give, which must have `digest`. What is there already is not read again.

        Raises RefusalError: `invalid` (the digest's form), `digest-mismatch` with both digests, `too-large`,
        `disk-full`. Nothing is left then.
        """
        if self.use(digest):
            return Stored(digest=digest, size_bytes=self.size(digest))
        with Incoming(self._root, limit_bytes) as writer:
            for chunk in chunks:
                writer.write(chunk)
            return writer.commit(digest, keep=self._keep)

    async def put_stream_async(
        self, digest: str, chunks: AsyncIterable[bytes], *, limit_bytes: int = FILE_BYTES_MAX
    ) -> Stored:
        """As `put_stream`, with the disk's work in threads."""
        if await asyncio.to_thread(self.use, digest):
            size_bytes = await asyncio.to_thread(self.size, digest)
            return Stored(digest=digest, size_bytes=size_bytes)
        writer = await asyncio.to_thread(Incoming, self._root, limit_bytes)
        with writer:
            await write_behind(writer, chunks)
            return await asyncio.to_thread(writer.commit, digest, keep=self._keep)

    def put_file(self, path: Path, *, limit_bytes: int = FILE_BYTES_MAX) -> Stored:
        """Copy one file into the store. Raises OSError where it cannot be read, and as `put_stream`."""
        with path.open("rb") as source:
            return self.put_open(source.fileno(), limit_bytes=limit_bytes)

    def put_open(
        self,
        fd: int,
        *,
        limit_bytes: int = FILE_BYTES_MAX,
        tell: Callable[[int], None] = lambda _: None,
    ) -> Stored:
        """Copy an open file from its start. Raises OSError where it cannot be read, and as `put_stream`."""
        with Incoming(self._root, limit_bytes) as writer:
            writer.copy(fd, tell)
            return writer.commit(keep=self._keep)

    def put_tree(
        self, path: Path, *, within: Path | None = None, limit_bytes: int = TREE_BYTES_MAX
    ) -> Stored:
        """Copy a directory, or one file as a directory that holds it, and the manifest that names it.

        Symlinks are stored as what they lead to. `path` itself may be or pass one, inside `within` (default: its
        parent directory). Raises RefusalError: `not-found`; `invalid` for special files and for symlinks that lead
        outside or in a circle; `conflict` for what changes meanwhile; `too-large`; `disk-full`.
        Files that were stored before a refusal stay: they are whole, and the next try finds them.
        """
        files: list[TreeFile] = []
        left_bytes = limit_bytes
        root = find_root(path, within or path.parent)
        for name, real in find_files(root):
            with open_inside(root, name, real) as source:
                executable = bool(os.fstat(source.fileno()).st_mode & 0o111)
                stored = self.put_open(source.fileno(), limit_bytes=left_bytes)
            left_bytes -= stored.size_bytes
            files.append(
                TreeFile(
                    path=name,
                    size=stored.size_bytes,
                    sha256=stored.digest.removeprefix(PREFIX),
                    executable=executable,
                )
            )
        manifest = manifest_of(files)
        with Incoming(self._root, MANIFEST_BYTES_MAX) as writer:
            writer.write(encode_manifest(manifest))
            digest = writer.commit(keep=self._keep).digest
        return Stored(digest=digest, size_bytes=manifest.size_bytes, files=len(files))

    def path(self, digest: str) -> Path:
        """Where the artifact is or would be. Raises RefusalError (invalid)."""
        return place_of(self._root, parse_digest(digest))

    def exists(self, digest: str) -> bool:
        """Whether it is stored, here or in the remote. Raises RefusalError (unavailable)."""
        path = self.path(digest)
        return path.exists() or (self._remote is not None and self._remote.has(path.name))

    def ready(self, digest: str) -> Path:
        """Where the artifact is on this disk, fetched from the remote where it was not.

        Raises RefusalError: not-found; unavailable; digest-mismatch where the remote has other bytes under that name.
        """
        path = self.path(digest)
        self.cache.use(path.name)
        if path.exists():
            return path
        if self._remote is None:
            raise _missing(digest)
        with self._alone(digest):
            if not path.exists():
                self._fetch(self._remote, digest)
        return path

    def sound(self, digest: str) -> Path:
        """As `ready`, and read whole. A damaged copy is deleted, and fetched anew where there is a remote.

        Raises RefusalError as `ready`, and digest-mismatch where the copy here was the only one.
        """
        path = self.ready(digest)
        got = digest_of(path)
        if got == digest:
            return path
        log.warning("the stored copy of %s is damaged, its bytes have the digest %s", digest, got)
        path.unlink(missing_ok=True)  # so that it counts as missing, and can be sent again
        if self._remote is None:
            raise _damaged(digest, got)
        return self.ready(digest)

    def use(self, digest: str) -> bool:
        """Whether it is there; from now on it counts as used just now, and no removal that was planned takes it."""
        path = self.path(digest)
        if mark_used(path) or self._remote is None:
            return path.exists()
        self._marks.touch(path.name)
        return mark_used(path) or self._remote.has(path.name)

    def contents(self) -> dict[str, Path]:
        """Every file of the store, by digest."""
        files = sorted((self._root / "sha256").glob("??/*"))
        return {PREFIX + path.name: path for path in files}

    def materialised(self) -> dict[str, Path]:
        """Every directory that was made of a tree, by the hexadecimal digits of its digest."""
        places = sorted((self._root / "trees").glob("*"))
        return {path.name: path for path in places if HEX.fullmatch(path.name)}

    def materialised_at(self, hex_digits: str) -> Path:
        """Where the directory of that tree is or would be."""
        return self._root / "trees" / hex_digits

    def size(self, digest: str) -> int:
        """Bytes of the file; for a tree, of its manifest. Raises RefusalError as `ready`."""
        return self.ready(digest).stat().st_size

    def open(self, digest: str) -> BinaryIO:
        """The artifact's bytes, to read. Raises RefusalError as `ready`."""
        return self.ready(digest).open("rb")

    def verify(self, digest: str) -> None:
        """Read it all again. Raises RefusalError (not-found, digest-mismatch)."""
        got = digest_of(self.ready(digest))
        if got != digest:
            raise mismatch(wanted=digest, got=got)

    def tree(self, digest: str) -> TreeManifest:
        """The manifest of that digest. Raises RefusalError (not-found, invalid)."""
        if self.size(digest) > MANIFEST_BYTES_MAX:
            raise RefusalError(RefusalCode.INVALID, f"{digest} is not the manifest of a tree")
        with self.open(digest) as file:
            return parse_manifest(file.read())

    def lacks(self, manifest: TreeManifest) -> tuple[str, ...]:
        """Digests of files that the manifest names and the store does not have, each once, in the manifest's order."""
        wanted = dict.fromkeys(PREFIX + file.sha256 for file in manifest.files)
        return tuple(digest for digest in wanted if not self.exists(digest))

    def materialise(self, digest: str, target: Path | None = None) -> Path:
        """The tree as a read-only directory of hard links (copies, where links cannot be); its path.

        `target` (default: `trees/<hex>` in the store) stands for this digest alone: what is there already is taken as
        it is. It is made once, also when many ask at once. Raises RefusalError (not-found, invalid, disk-full).
        """
        place = target or self._root / "trees" / parse_digest(digest)
        if mark_used(place):
            return place
        manifest = self.tree(digest)
        with room_needed(place), making(place) as partial:
            if partial is not None:
                for file in manifest.files:
                    self._place_file(file, partial / file.path)
                _make_read_only(partial)
        return place

    def elsewhere(self) -> dict[str, Listed]:
        """What the remote has and may be removed there, by digest: all of it where the place is this store's.

        When each was last of use is the later of when it came there and when it was wanted. Raises RefusalError.
        """
        if self._remote is None or not self._owns(self._remote):
            return {}
        return {
            PREFIX + each.hex_digits: replace(
                each, modified_ms=max(each.modified_ms, self._marks.used_ms(each.hex_digits))
            )
            for each in self._remote.listed()
        }

    def remove(self, digest: str, *, aside: Path, unused_since_ms: int) -> bool:
        """Delete an artifact for good unless it was of use since then: its file here, set aside first, and the remote's.

        Whether it is gone. Raises RefusalError (unavailable), OSError: then the remote may still have it, and it can be
        removed again. Files of a tree stay.
        """
        path = self.path(digest)
        with self._marks.lock():
            if self._marks.used_ms(path.name) >= unused_since_ms:
                return False
            # First here: what is cached is taken to be there, and is not asked for.
            discard(path, aside, unused_since_ms=unused_since_ms)
            if path.exists():
                return False
            if self._remote is not None and self._owns(self._remote):
                self._remote.remove(path.name)
            self._marks.forget(path.name)
        return True

    def sweep(self) -> int:
        """Delete what killed processes left half written, and count it. What others write now is left alone."""
        self._marks.sweep(now_ms())
        swept = len(sweep_partials(self._root / "trees")) + sweep_incoming(self._root)
        return swept + self.uploads.sweep(now_ms())

    def settle(self) -> None:
        """Have everything that is stored where it is to be kept from now on. Raises RefusalError."""
        settle(self._root, self._remote, owner=self._marks.owner())

    def _send(self, hex_digits: str, path: Path) -> None:
        assert self._remote is not None
        self._marks.touch(hex_digits)
        self._remote.send(hex_digits, path)
        self._make_room(hex_digits, path)

    def _owns(self, remote: Remote) -> bool:
        """Whether nobody else keeps anything there. Raises RefusalError."""
        if not self._owned:
            owner = remote.owner()
            if not owner:
                owner = self._marks.owner()
                remote.own(owner)
            self._owned = owner == self._marks.owner()
        return self._owned

    def _make_room(self, _: str, path: Path) -> None:
        self.cache.make_room(path.stat().st_size)

    def _take(self, path: Path, digest: str) -> None:
        """Move a file that is proven to have `digest` into the store."""
        if not self.use(digest):
            with path.open("rb") as file:
                place_whole(self._root, parse_digest(digest), path, file.fileno(), keep=self._keep)

    def _fetch(self, remote: Remote, digest: str) -> None:
        try:
            with Incoming(self._root, FILE_BYTES_MAX) as writer:
                for chunk in remote.chunks(parse_digest(digest)):
                    writer.write(chunk)
                writer.commit(digest, keep=self._make_room)
        except RefusalError as refusal:
            if refusal.code is not RefusalCode.DIGEST_MISMATCH:
                raise
            raise RefusalError(
                RefusalCode.DIGEST_MISMATCH,
                f"{remote.url} has other bytes under the name {digest}",
                field="digest",
                hint="they were damaged there: store the artifact anew, once it is deleted there",
            ) from refusal

    @contextmanager
    def _alone(self, digest: str) -> Generator[None]:
        """One fetch of an artifact at a time; the others wait for it."""
        lock = self._fetching.setdefault(digest, threading.Lock())
        with lock:
            try:
                yield
            finally:
                self._fetching.pop(digest, None)

    def _place_file(self, file: TreeFile, target: Path) -> None:
        try:
            blob = self.ready(PREFIX + file.sha256)
        except RefusalError as refusal:
            if refusal.code is not RefusalCode.NOT_FOUND:
                raise
            raise _incomplete(file) from refusal
        if blob.stat().st_size != file.size:
            raise _incomplete(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not file.executable:
            try:
                target.hardlink_to(blob)
            except OSError:  # another file system, too many links, or links forbidden
                pass
            else:
                return
        copy_checked(blob, target, file.sha256)
        target.chmod(0o555 if file.executable else 0o444)


def _make_read_only(directory: Path) -> None:
    for parent, _, _ in os.walk(directory, topdown=False):
        Path(parent).chmod(0o555)


def _incomplete(file: TreeFile) -> RefusalError:
    return RefusalError(
        RefusalCode.NOT_FOUND,
        f"{file.path} of this tree (sha256:{file.sha256}) is not in the store",
        hint="store the tree's files before it is used",
    )


def _damaged(digest: str, got: str) -> RefusalError:
    return RefusalError(
        RefusalCode.DIGEST_MISMATCH,
        f"the stored copy of {digest} was damaged: its bytes had the digest {got}",
        field="digest",
        hint="it is deleted: send it again",
    )


def _missing(digest: str) -> RefusalError:
    return RefusalError(
        RefusalCode.NOT_FOUND,
        f"there is no artifact {digest}",
        field="digest",
        hint="store it first; `gw models` shows those that are registered",
    )
