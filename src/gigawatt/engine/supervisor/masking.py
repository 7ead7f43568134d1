"""Keeps the values of secrets out of what is written: each becomes *** wherever it shows, also across writes.

What might be the beginning of a value is held back until more comes, or the end. Besides a value itself its other usual
forms are looked for: its lines, as JSON and URLs write it, and in base64.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = b"***"
VALUE_BYTES_MIN = 6  # shorter ones are in everything
LINE_BYTES_MIN = 16  # of a value of several lines: short ones, as of JSON, say nothing
PATTERNS_MAX = 256  # a write is searched for each of them


class Mask:
    """For one stream. Costs a search for each pattern and write, and holds back less than the longest of them."""

    def __init__(self, values: Iterable[str]) -> None:
        self._patterns = patterns(values)
        self._any = re.compile(b"|".join(re.escape(each) for each in self._patterns))
        self._held = b""

    def take(self, data: bytes) -> bytes:
        """What of `data`, and of what was held back, can be written now."""
        if not self._patterns:
            return data
        data = self._held + data
        hold = self._beginning(data, 0)
        written: list[bytes] = []
        place = 0
        if any(each in data for each in self._patterns):
            while (found := self._any.search(data, place)) and found.start() < hold:
                written += (data[place : found.start()], MASK)
                place = found.end()
                if place > hold:
                    hold = self._beginning(data, place)
        self._held = data[hold:]
        written.append(data[place:hold])
        return b"".join(written)

    def rest(self) -> bytes:
        """Nothing more will come."""
        rest, self._held = self._held, b""
        return self._any.sub(MASK, rest) if self._patterns else rest

    def _beginning(self, data: bytes, start: int) -> int:
        """From where on `data` may be the beginning of a value; its length where it is not."""
        return min((_beginning(data, each, start) for each in self._patterns), default=len(data))


def patterns(values: Iterable[str]) -> list[bytes]:
    """What to look for, longest first, so that a value within another does not show the rest of that."""
    whole: list[str] = []
    lines: list[str] = []
    for value in values:
        text = value.strip()
        whole += (text, json.dumps(text)[1:-1], quote(text, safe=""), text.replace("\n", "\r\n"))
        whole += (base64.b64encode(each.encode()).decode() for each in (value, text))
        lines += (line.strip() for line in text.splitlines()[: PATTERNS_MAX + 1])
    found = dict.fromkeys(each.encode() for each in whole)
    known = [each for each in found if len(each) >= VALUE_BYTES_MIN]
    more = dict.fromkeys(each.encode() for each in lines)
    known += [each for each in more if len(each) >= LINE_BYTES_MIN and each not in found]
    return sorted(known[:PATTERNS_MAX], key=lambda each: (-len(each), each))


def _beginning(data: bytes, pattern: bytes, start: int) -> int:
    place = max(start, len(data) - len(pattern) + 1)
    first = pattern[:1]
    while (place := data.find(first, place)) >= 0:
        if pattern.startswith(data[place:]):
            return place
        place += 1
    return len(data)
