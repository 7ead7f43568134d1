"""Byte-pair encoding, small enough to read: learnt from word counts, saved as a list of merges.

A token is a run of bytes. The first 256 are the single bytes, so that any text can be encoded; each merge joins two
earlier tokens into the next one. Ties go to the pair seen first: the same text gives the same merges anywhere.
"""

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

# What a merge may not cross: a line break with its indentation, a word or a run of signs with the space after it. The
# space goes with what is before it, so that a prompt may end in one ("def ") and the name that follows is whole.
_WORDS = re.compile(
    rb"\n[ ]*|[A-Za-z]+ ?|[0-9] ?|[^A-Za-z0-9\s\x80-\xff]+ ?|\s+|[\x80-\xff]+", re.DOTALL
)

BETWEEN_FILES = b"\n\n\n"  # what text begins with, in training and in use

RARE = 5  # words seen less often than this teach no merges

Pair = tuple[int, int]


class Tokenizer:
    """Text to token ids and back."""

    def __init__(self, merges: list[Pair]) -> None:
        self.merges = merges
        self._rank = {pair: 256 + i for i, pair in enumerate(merges)}
        self._bytes = [bytes([i]) for i in range(256)]
        for left, right in merges:
            self._bytes.append(self._bytes[left] + self._bytes[right])
        self._known: dict[bytes, list[int]] = {}

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self._bytes)

    def encode(self, text: bytes) -> list[int]:
        """The tokens of `text`."""
        ids: list[int] = []
        for word in _WORDS.findall(text):
            if word not in self._known:
                self._known[word] = self._encode_word(word)
            ids.extend(self._known[word])
        return ids

    def decode(self, ids: list[int]) -> bytes:
        """The bytes of `ids`; they may end inside a UTF-8 character."""
        return b"".join(self._bytes[i] for i in ids)

    def save(self, path: Path) -> None:
        """Write the merges as JSON."""
        path.write_text(json.dumps({"merges": self.merges}))

    def _encode_word(self, word: bytes) -> list[int]:
        ids = list(word)
        while len(ids) > 1:
            best = min(pairwise(ids), key=lambda pair: self._rank.get(pair, 1 << 30))
            if best not in self._rank:
                break
            ids = _merged(ids, best, self._rank[best])
        return ids


def load(path: Path) -> Tokenizer:
    """A tokenizer that `save` wrote."""
    return Tokenizer([(left, right) for left, right in json.loads(path.read_text())["merges"]])


def learn(text: bytes, *, size: int) -> Tokenizer:
    """`size - 256` merges, each of the most frequent pair of neighbours at that point."""
    counts = Counter(_WORDS.findall(text))
    often = sorted(word for word, count in counts.items() if count >= RARE)
    words = [list(word) for word in often]
    weights = [counts[word] for word in often]
    pairs: Counter[Pair] = Counter()
    holders: dict[Pair, set[int]] = {}
    for i, ids in enumerate(words):
        _tally(pairs, holders, ids, i, weights[i])
    merges: list[Pair] = []
    while len(merges) < size - 256 and pairs:
        best = max(pairs, key=pairs.__getitem__)
        new = 256 + len(merges)
        merges.append(best)
        for i in sorted(holders[best]):
            _tally(pairs, holders, words[i], i, -weights[i])
            words[i] = _merged(words[i], best, new)
            _tally(pairs, holders, words[i], i, weights[i])
        del pairs[best]
    return Tokenizer(merges)


def _tally(
    pairs: Counter[Pair], holders: dict[Pair, set[int]], ids: list[int], word: int, weight: int
) -> None:
    for pair in pairwise(ids):
        pairs[pair] += weight
        holders.setdefault(pair, set()).add(word)


def _merged(ids: list[int], pair: Pair, new: int) -> list[int]:
    """`ids` with every `pair`, from the left, replaced by `new`."""
    out: list[int] = []
    i = 0
    while i < len(ids):
        if ids[i] == pair[0] and i + 1 < len(ids) and ids[i + 1] == pair[1]:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out
