"""Stacks of many ranks, the same ones together: the rank that hangs elsewhere than the others stands out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# What differs between ranks that do the same: process and thread numbers, addresses, where pids are in names.
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|(?<=[Pp]rocess )\d+|(?<=[Tt]hread )\d+|\(pid \d+\)")
_DIGITS = re.compile(r"\d+")
_COMMAND = re.compile(r"(?m)^[Pp]rocess .*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackGroup:
    """Ranks in ascending order whose stacks are the same, and those of the first of them."""

    ranks: tuple[int, ...]
    text: str


def grouped(texts: Mapping[int, str]) -> tuple[StackGroup, ...]:
    """The largest group first, so that what is unlike the others comes last."""
    by_shape: dict[str, list[int]] = {}
    for rank in sorted(texts):
        by_shape.setdefault(_shape(texts[rank]), []).append(rank)
    ordered = sorted(by_shape.values(), key=lambda ranks: (-len(ranks), ranks))
    return tuple(StackGroup(ranks=tuple(ranks), text=texts[ranks[0]]) for ranks in ordered)


def _shape(text: str) -> str:
    """Without what differs between ranks that do the same; commands may have a rank's number among their words."""
    bare = _COMMAND.sub(lambda line: _DIGITS.sub("#", line[0]), text)
    return _NUMBERS.sub("#", bare)
