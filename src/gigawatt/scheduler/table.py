"""Columns whose rows stay sorted by key while rows come, change and go: one merge for all that changed."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gigawatt.scheduler.snapshot import Column

Values = tuple[Any, ...]  # one row: a number or a sequence for each column, in the columns' order


class Table:
    """Puts and drops wait until `settle`. What was handed out is never written to again."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.keys: list[str] = []
        self._columns: dict[str, npt.NDArray[Any]] = {
            name: column.empty() for name, column in columns.items()
        }
        self._pending: dict[str, Values | None] = {}
        self._lent = False
        self.written: list[
            int
        ] = []  # rows that the last `settle` wrote to, where none came or went

    def put(self, key: str, values: Values) -> None:
        self._pending[key] = values

    def drop(self, key: str) -> None:
        self._pending[key] = None

    def settle(self) -> tuple[bool, bool]:
        """Merge what waits; whether anything changed, and whether rows came or went."""
        self.written = []
        if not self._pending:
            return False, False
        pending, self._pending = self._pending, {}
        changed: list[tuple[int, Values]] = []
        gone: list[int] = []
        new: list[tuple[str, Values]] = []
        for key in sorted(pending):
            values, row = pending[key], bisect_left(self.keys, key)
            present = row < len(self.keys) and self.keys[row] == key
            if values is None:
                if present:
                    gone.append(row)
            elif present:
                changed.append((row, values))
            else:
                new.append((key, values))
        self._write(changed)
        self._delete(gone)
        self._insert(new)
        self.written = [row for row, _ in changed]
        return bool(changed or gone or new), bool(gone or new)

    def column(self, name: str) -> npt.NDArray[Any]:
        """The column as it is, to read. It stays as it is: later changes go to a copy."""
        self._lent = True
        view = self._columns[name].view()
        view.setflags(write=False)
        return view

    def widen(self, name: str, width: int) -> None:
        """Give a two-dimensional column more places a row, filled with 0."""
        old = self._columns[name]
        wide = np.zeros((old.shape[0], width), dtype=old.dtype)
        wide[:, : old.shape[1]] = old
        self._columns[name] = wide

    def _write(self, changed: list[tuple[int, Values]]) -> None:
        if not changed:
            return
        rows = np.array([row for row, _ in changed], dtype=np.intp)
        for index, (name, column) in enumerate(self._columns.items()):
            own = column.copy() if self._lent else column
            own[rows] = [values[index] for _, values in changed]
            self._columns[name] = own
        self._lent = False

    def _delete(self, gone: list[int]) -> None:
        if not gone:
            return
        for row in reversed(gone):
            del self.keys[row]
        stays = np.ones(len(next(iter(self._columns.values()))), dtype=np.bool_)
        stays[gone] = False
        for name, column in self._columns.items():
            self._columns[name] = column[stays]

    def _insert(self, new: list[tuple[str, Values]]) -> None:
        if not new:
            return
        places = [bisect_left(self.keys, key) for key, _ in new]
        old = len(self.keys)
        # Where each row comes from, worked out once for all columns.
        order = np.insert(np.arange(old), places, np.arange(old, old + len(new)))
        by_column = zip(*[values for _, values in new], strict=True)
        for (name, column), values in zip(self._columns.items(), by_column, strict=True):
            rows = np.zeros((len(new), *column.shape[1:]), dtype=column.dtype)
            rows[:] = values
            self._columns[name] = np.concatenate((column, rows))[order]
        self.keys.extend(key for key, _ in new)
        self.keys.sort()
