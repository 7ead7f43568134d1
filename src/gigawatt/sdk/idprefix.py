"""Ids cut short: since an id begins with its time, the beginning of one says when its object was made."""

import re

from gigawatt.model.ids import ALPHABET, TIME_DIGITS

JOB_PREFIX = "job-"
_DIGIT = {letter: value for value, letter in enumerate(ALPHABET)}
_BITS = 5


def prefix_range_ms(text: str, prefix: str) -> tuple[int, int] | None:
    """The times, first and last, of ids that begin with `text`; None where `text` is not the beginning of an id."""
    tail = text.removeprefix(prefix)
    if tail == text or not tail or not re.fullmatch(f"[{ALPHABET}]+", tail):
        return None
    shown = tail[:TIME_DIGITS]
    missing = (TIME_DIGITS - len(shown)) * _BITS
    first = 0
    for letter in shown:
        first = first << _BITS | _DIGIT[letter]
    return first << missing, (first << missing) + (1 << missing) - 1
