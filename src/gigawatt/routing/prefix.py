"""Which replica has seen the beginning of a prompt: what a warm prefix cache is worth most to.

A prompt is cut into blocks, and each block is named by a hash of all up to its end, so that equal names mean equal
beginnings. The index remembers, of the newest of them, which replicas were sent them. It knows what was sent, not what
a runtime still has: a wrong guess costs a prefill, as any other choice would have.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b

BLOCK_BYTES = (
    256  # of text: some 60 tokens, a few of the blocks in which runtimes keep their caches
)
BLOCKS_MAX = 128  # of one prompt; what follows tells no more apart
ENTRIES_MAX = 1 << 16  # of an index: 16 MiB of text


def blocks_of(prompt: bytes) -> tuple[bytes, ...]:
    """The names of its whole blocks, first to last."""
    hashing = blake2b(digest_size=8)
    names: list[bytes] = []
    last = min(len(prompt) // BLOCK_BYTES, BLOCKS_MAX)
    for at in range(0, last * BLOCK_BYTES, BLOCK_BYTES):
        hashing.update(prompt[at : at + BLOCK_BYTES])
        names.append(hashing.copy().digest())
    return tuple(names)


class PrefixIndex:
    """Of one endpoint. The blocks that were used longest ago are forgotten first."""

    __slots__ = ("_entries_max", "_seen")

    def __init__(self, *, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._seen: OrderedDict[bytes, set[str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def matches(self, blocks: Sequence[bytes]) -> dict[str, int]:
        """How many blocks from the beginning each replica has seen, of those that have seen any."""
        found: dict[str, int] = {}
        still: set[str] | None = None
        for depth, block in enumerate(blocks, start=1):
            seen = self._seen.get(block, set[str]())
            still = seen if still is None else still & seen
            if not still:
                break
            for replica in still:
                found[replica] = depth
        return found

    def note(self, blocks: Sequence[bytes], replica: str) -> None:
        """A prompt went to a replica."""
        for block in reversed(blocks):  # so that a beginning outlives what follows it
            self._seen.setdefault(block, set()).add(replica)
            self._seen.move_to_end(block)
        while len(self._seen) > self._entries_max:
            self._seen.popitem(last=False)

    def keep(self, replicas: Iterable[str]) -> None:
        """Forget all other replicas: they are gone, and what they had with them."""
        kept = frozenset(replicas)
        for block, seen in tuple(self._seen.items()):
            seen.intersection_update(kept)
            if not seen:
                del self._seen[block]
