"""Amounts as other systems write them: Slurm's times and memory, ranges, sizes in GB that mean GiB."""

import re

_SLURM_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
_SLURM_SIZE = re.compile(r"(\d+)([KMGT])?B?", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:I?B)?", re.IGNORECASE)
UNLIMITED = frozenset({"0", "UNLIMITED", "INFINITE"})
TIME_HINT = (
    'allowed: "minutes", "minutes:seconds", "hours:minutes:seconds", "days-hours", '
    '"days-hours:minutes", "days-hours:minutes:seconds"'
)
MEMORY_HINT = 'write a number of MB, or one with a unit: "512M", "16G", "1T"'
SIZE_HINT = 'write a number of GB, or one with a unit: "512MB", "16GB", "1TB"'
_KIB = {"K": 1, "M": 1 << 10, "G": 1 << 20, "T": 1 << 30, "P": 1 << 40}


def slurm_time_s(text: str) -> int | None:
    """Seconds of a time limit, 0 for none; None where it is no time of Slurm's."""
    if text.upper() in UNLIMITED:
        return 0
    match = _SLURM_TIME.fullmatch(text)
    if match is None:
        return None
    days, *rest = match.groups()
    first, second, third = (int(each) if each else 0 for each in rest)
    if days is not None:
        return int(days) * 86_400 + first * 3_600 + second * 60 + third
    if rest[2] is not None:
        return first * 3_600 + second * 60 + third
    return first * 60 + second


def slurm_kib(text: str) -> int | None:
    """KiB of an amount of memory; a bare number counts MiB. None where it is none."""
    match = _SLURM_SIZE.fullmatch(text)
    if match is None:
        return None
    return int(match.group(1)) * _KIB[(match.group(2) or "M").upper()]


def size_kib(text: str) -> int | None:
    """KiB of a size whose units are binary; a bare number counts GiB. None where it is none."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    return int(float(match.group(1)) * _KIB[(match.group(2) or "G").upper()])


def shown_memory(kib: int) -> str:
    """As our files write it: the largest unit in which it is whole."""
    for factor, unit in ((1 << 20, "GiB"), (1 << 10, "MiB")):
        if kib % factor == 0:
            return f"{kib // factor}{unit}"
    return f"{kib}KiB"


def shown_span(seconds: int) -> str:
    """As our files write it, e.g. 1d2h30m."""
    parts: list[str] = []
    for factor, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        count, seconds = divmod(seconds, factor)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def range_of(text: str) -> tuple[str, str]:
    """The ends of `low..high`, `low..`, `..high` or `low+`; both the same for one value."""
    text = text.replace(" ", "")
    if ".." in text:
        low, _, high = text.partition("..")
        return low, high
    if text.endswith("+"):
        return text[:-1], ""
    return text, text
