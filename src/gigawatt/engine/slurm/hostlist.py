"""Slurm's short way to write many names: `n[1-3,07],gpu-a`. Pure."""

import re

NAMES_MAX = 100_000

_PART = re.compile(r"([^\[\],]*)(?:\[([^\]]*)\])?")


def expand(text: str) -> tuple[str, ...]:
    """Every name, in the order written. Raises ValueError for what is no host list, or is too long."""
    names: list[str] = []
    for term in _terms(text):
        names += _expand_term(term)
        if len(names) > NAMES_MAX:
            raise ValueError(f"more than {NAMES_MAX} names in {text[:80]!r}")
    return tuple(names)


def _terms(text: str) -> list[str]:
    """Split at commas that are not inside brackets."""
    terms: list[str] = []
    depth, start = 0, 0
    for index, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            terms.append(text[start:index])
            start = index + 1
    if depth != 0:
        raise ValueError(f"brackets that do not match: {text[:80]!r}")
    return [term for term in (*terms, text[start:]) if term]


def _expand_term(term: str) -> list[str]:
    """`rack[1-2]n[1-3]` may have several brackets, the last one varying fastest."""
    names = [""]
    for head, ranges in _PART.findall(term):
        tails = _numbers(ranges) if ranges else [""]
        if len(names) * len(tails) > NAMES_MAX:
            raise ValueError(f"more than {NAMES_MAX} names in {term[:80]!r}")
        names = [f"{name}{head}{tail}" for name in names for tail in tails]
    return names


def _numbers(ranges: str) -> list[str]:
    found: list[str] = []
    for each in ranges.split(","):
        low, dash, high = each.partition("-")
        if not dash:
            found.append(low)
            continue
        width = len(low) if low.startswith("0") else 0
        if int(high) - int(low) > NAMES_MAX:
            raise ValueError(f"more than {NAMES_MAX} names in [{ranges[:80]}]")
        found += [str(number).zfill(width) for number in range(int(low), int(high) + 1)]
    return found
