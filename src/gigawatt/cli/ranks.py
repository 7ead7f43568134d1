"""Ranks as people name them: `0`, `0,3`, `all`."""

import click

EVERY = "all"
_DIGITS_MAX = 7


def named_ranks(given: tuple[str, ...]) -> tuple[int, ...] | None:
    """Each once, in the order in which they are named; None for all of them. Raises click.BadParameter."""
    named = tuple(part.strip() for each in given for part in each.split(","))
    if EVERY in named:
        return None
    for each in named:
        if not (each.isascii() and each.isdecimal()) or len(each) > _DIGITS_MAX:
            raise click.BadParameter(f"{each!r} is neither a rank nor `all`", param_hint="--rank")
    return tuple(dict.fromkeys(int(each) for each in named))


def shown(ranks: "list[int] | tuple[int, ...]") -> str:
    """`0-2, 5`: runs of neighbours as ranges."""
    runs: list[list[int]] = []
    for rank in sorted(ranks):
        if runs and rank == runs[-1][1] + 1:
            runs[-1][1] = rank
        else:
            runs.append([rank, rank])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
