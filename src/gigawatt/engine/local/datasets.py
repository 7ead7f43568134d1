"""Trees of data on this machine's nodes: laid out once a node, kept for later gangs, evicted when there are too many.

nodes/<node>/data/<hex>        the tree, read-only, links to the store's files where the file system allows
nodes/<node>/data/<hex>.size   its bytes; touched whenever a gang is given it

What a live gang uses is never evicted: gangs under way are counted here, those that run are found in the journals of
the node, which outlive this process.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gigawatt.engine.local.files import nodes_dir, unreleased
from gigawatt.engine.supervisor.workdir import remove_tree
from gigawatt.model.refusal import RefusalCode, RefusalError

SIZE, GONE = ".size", ".gone"
FETCHERS = 4  # trees laid out at once; commits have threads of their own
TOLD_MAX = 256  # trees of a node that are told, the last used first


class Lay(Protocol):
    """Make the tree of this digest at `target`, whole and once, also when many ask; its path.

    Raises RefusalError (not-found, digest-mismatch, disk-full).
    """

    def __call__(self, digest: str, target: Path) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What a gang needs on a node."""

    node: str
    digest: str
    size_bytes: int


class Datasets:
    """`bytes_max` is what a node keeps for later, 0 without limit."""

    def __init__(self, data: Path, lay: Lay | None = None, *, bytes_max: int = 0) -> None:
        self._nodes = nodes_dir(data)
        self._lay = lay
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._under_way: Counter[Path] = Counter()
        self._fetchers = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch-data")

    def sweep(self) -> None:
        """Remove what an eviction that was killed left behind."""
        for left in self._nodes.glob(f"*/data/*{GONE}"):
            remove_tree(left)

    def close(self) -> None:
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def wanted(self, trees: Iterable[Tree]) -> Generator[None]:
        """None of these is evicted meanwhile."""
        places = [self._place(tree.node, tree.digest) for tree in trees]
        with self._lock:
            self._under_way.update(places)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.subtract(places)

    async def fetch(self, tree: Tree) -> Path:
        """Where the tree is, once it is there. Call it with the tree `wanted`. Raises RefusalError, OSError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._fetchers, self._fetch, tree)

    def kept(self, node: str) -> tuple[str, ...]:
        """Digests of the trees that a node keeps, sorted."""
        newest = sorted(self._sizes(node), key=lambda each: -each.stat().st_mtime_ns)
        return tuple(sorted(f"sha256:{each.stem}" for each in newest[:TOLD_MAX]))

    def _fetch(self, tree: Tree) -> Path:
        place = self._place(tree.node, tree.digest)
        size = place.with_name(place.name + SIZE)
        if not size.exists():
            if self._lay is None:
                raise RefusalError(RefusalCode.UNSUPPORTED, "this engine cannot lay out data")
            place.parent.mkdir(parents=True, exist_ok=True)
            self._evict(tree.node, more_bytes=tree.size_bytes)
            try:
                self._lay(tree.digest, place)
            except RefusalError as error:
                if error.code is not RefusalCode.DISK_FULL or not self._evict(tree.node):
                    raise
                self._lay(tree.digest, place)
            size.write_text(str(tree.size_bytes))
        else:
            size.touch()
        return place.resolve()

    def _evict(self, node: str, *, more_bytes: int | None = None) -> bool:
        """Remove the longest unused trees: until `more_bytes` fit, or all of them; whether any went."""
        if more_bytes is not None and not self._bytes_max:
            return False
        gone: list[Path] = []
        with self._lock:
            sizes = sorted(self._sizes(node), key=lambda each: (each.stat().st_mtime_ns, each.name))
            held = {each: int(each.read_text()) for each in sizes}
            over = sum(held.values()) + (more_bytes or 0) - self._bytes_max
            used = self._used(node)
            for size in sizes:
                if more_bytes is not None and over <= 0:
                    break
                place = size.with_suffix("")
                if place in used:
                    continue
                size.unlink()
                gone.append(place.rename(place.with_name(place.name + GONE)))
                over -= held[size]
        for each in gone:
            remove_tree(each)
        return bool(gone)

    def _used(self, node: str) -> set[Path]:
        """Trees that gangs use: those under way, and those that are not released."""
        used = {place for place, count in self._under_way.items() if count > 0}
        root = self._nodes / node / "data"
        for opening in unreleased(self._nodes / node):
            for volume in opening["spec"].get("volumes", ()):
                used.add(root / Path(volume["source"]).name)
        return used

    def _sizes(self, node: str) -> list[Path]:
        root = self._nodes / node / "data"
        return list(root.glob(f"*{SIZE}")) if root.is_dir() else []

    def _place(self, node: str, digest: str) -> Path:
        return self._nodes / node / "data" / digest.removeprefix("sha256:")
