"""Trees of data on this machine's nodes: laid out once a node, kept for later gangs, evicted when there are too many.

nodes/<node>/data/<hex>        the tree, read-only, links to the store's files where the file system allows
nodes/<node>/data/<hex>.size   its bytes; touched whenever a gang is given it
nodes/<node>/data/objects/     files that trees of this node share by links, kept as long as one of them does

What a live gang uses is never evicted: gangs under way are counted here, those that run are found in the journals of
the node, which outlive this process.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from gigawatt.clock import now_ms
from gigawatt.engine.local.files import nodes_dir, unreleased
from gigawatt.engine.supervisor.workdir import remove_tree
from gigawatt.model.refusal import RefusalCode, RefusalError

SIZE, PART, GONE = ".size", ".part", ".gone"
OBJECTS = "objects"
SPARED_S = 600  # shared files that are younger: a fetch that broke off is taken up with them
FETCHERS = 4  # trees laid out at once; commits have threads of their own
Choose = Callable[[dict[Path, int], set[Path]], list[Path]]
"""Of trees by their bytes, the longest unused first, and those in use: which are to go."""

Stored = Callable[[str], bool]
"""Whether the store still has the tree of this digest. Raises RefusalError where it cannot be asked."""

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
    """`bytes_max` is what a node keeps for later, 0 without limit. What is not `stored` any more is not kept."""

    def __init__(
        self,
        data: Path,
        lay: Lay | None = None,
        *,
        stored: Stored | None = None,
        bytes_max: int = 0,
    ) -> None:
        self._nodes = nodes_dir(data)
        self._lay = lay
        self._stored = stored
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._under_way: Counter[Path] = Counter()
        self._fetchers = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch-data")

    def sweep(self) -> None:
        """Remove what an eviction that was killed left behind, and trees that the store does not have any more."""
        for left in self._nodes.glob(f"*/data/*{GONE}"):
            remove_tree(left)
        for root in self._nodes.glob("*/data"):
            self._evict(root.parent.name, self._unwanted)
            self._drop(root.parent.name)

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
        with self._lock:
            newest = sorted(self._sizes(node), key=lambda each: -each.stat().st_mtime_ns)
        return tuple(sorted(f"sha256:{each.stem}" for each in newest[:TOLD_MAX]))

    def _fetch(self, tree: Tree) -> Path:
        place = self._place(tree.node, tree.digest)
        size = place.with_name(place.name + SIZE)
        if not size.exists():
            if self._lay is None:
                raise RefusalError(RefusalCode.UNSUPPORTED, "this engine cannot lay out data")
            place.parent.mkdir(parents=True, exist_ok=True)
            self._evict(tree.node, self._unwanted)
            self._evict(tree.node, partial(self._over, more_bytes=tree.size_bytes))
            try:
                self._lay(tree.digest, place)
            except RefusalError as error:
                full = error.code is RefusalCode.DISK_FULL
                if not full or not (self._evict(tree.node, _idle) | self._drop(tree.node)):
                    raise
                self._lay(tree.digest, place)
            with self._lock:
                _write_size(size, tree.size_bytes)
        else:
            size.touch()
        return place.resolve()

    def _evict(self, node: str, choose: "Choose") -> bool:
        """Remove the trees that are chosen; whether any went."""
        gone: list[Path] = []
        with self._lock:
            sizes = sorted(self._sizes(node), key=lambda each: (each.stat().st_mtime_ns, each.name))
            held = {size.with_suffix(""): int(size.read_text()) for size in sizes}
            for place in choose(held, self._used(node)):
                place.with_name(place.name + SIZE).unlink()
                gone.append(place.rename(place.with_name(place.name + GONE)))
        for each in gone:
            remove_tree(each)
        if gone:
            self._drop(node)
        return bool(gone)

    def _drop(self, node: str) -> bool:
        """Remove shared files that no tree links to, save those just fetched for one that is under way."""
        dropped = False
        before_s = now_ms() / 1000 - SPARED_S
        for file in sorted((self._nodes / node / "data" / OBJECTS).glob("??/*")):
            with suppress(FileNotFoundError):
                look = file.stat()
                if look.st_nlink == 1 and look.st_mtime < before_s:
                    file.unlink()
                    dropped = True
        return dropped

    def _over(self, held: dict[Path, int], used: set[Path], more_bytes: int) -> list[Path]:
        """The longest unused, until `more_bytes` have room."""
        over = sum(held.values()) + more_bytes - self._bytes_max if self._bytes_max else 0
        chosen: list[Path] = []
        for place, size in held.items():
            if over > 0 and place not in used:
                chosen.append(place)
                over -= size
        return chosen

    def _unwanted(self, held: dict[Path, int], used: set[Path]) -> list[Path]:
        """Those that the store does not have any more: their files would keep room that is thought free."""
        return [place for place in _idle(held, used) if self._is_gone(f"sha256:{place.name}")]

    def _is_gone(self, digest: str) -> bool:
        """A store that cannot be asked is none that does not have it."""
        try:
            return self._stored is not None and not self._stored(digest)
        except RefusalError:
            return False

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


def _write_size(size: Path, size_bytes: int) -> None:
    """Whole or not at all: this process may be killed meanwhile, and the next one reads what is there."""
    part = size.with_suffix(PART)
    part.write_text(str(size_bytes))
    part.replace(size)


def _idle(held: dict[Path, int], used: set[Path]) -> list[Path]:
    return [place for place in held if place not in used]
