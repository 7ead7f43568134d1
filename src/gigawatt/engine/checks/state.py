"""What a check remembers from look to look, in one small file: counters only mean something by how they grow."""

from __future__ import annotations

import json
from pathlib import Path


class State:
    """Numbers by name. `path` None remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._numbers: dict[str, int] = {}
        if path is not None:
            try:
                self._numbers = {str(k): int(v) for k, v in json.loads(path.read_text()).items()}
            except (OSError, ValueError, AttributeError, TypeError):
                self._numbers = {}

    def number(self, name: str, default: int = 0) -> int:
        return self._numbers.get(name, default)

    def grown(self, name: str, now: int) -> int:
        """By how much a counter has grown since it was last seen; 0 at the first look, and where it began anew."""
        before = self._numbers.get(name, now)
        self._numbers[name] = now
        return max(now - before, 0)

    def set(self, name: str, number: int) -> None:
        self._numbers[name] = number

    def save(self) -> None:
        """Replaced whole, or not at all."""
        if self._path is None:
            return
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._numbers))
        new.replace(self._path)
