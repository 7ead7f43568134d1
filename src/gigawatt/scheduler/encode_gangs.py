"""The gang side of the encoder: one row for each gang that waits."""

from typing import Any

import numpy as np

from gigawatt.model.gang import Gang
from gigawatt.scheduler.ask import Ask, ask_of
from gigawatt.scheduler.facts import gang_numbers, gang_values
from gigawatt.scheduler.snapshot import GANG_CODES, GANG_NUMBERS, Column, GangColumns, Rows
from gigawatt.scheduler.table import Table
from gigawatt.scheduler.vocabulary import Vocabulary

ASK = "ask"


class GangRows:
    """Kept by `put`; `columns` costs what changed since it was last asked."""

    def __init__(self) -> None:
        self._gangs: dict[str, Gang] = {}
        codes = dict.fromkeys((*GANG_CODES, ASK), Column(dtype=np.int32))
        self._table = Table(GANG_NUMBERS | codes)
        self._asks = Vocabulary[Any]()
        self._ask: list[Ask] = []  # by code
        self._vocabularies: dict[str, Vocabulary[Any]] = {
            name: Vocabulary[Any]() for name in GANG_CODES
        }
        self._columns: GangColumns | None = None

    def __len__(self) -> int:
        return len(self._gangs)

    def __contains__(self, id: str) -> bool:
        return id in self._gangs

    def put(self, id: str, gang: Gang | None) -> bool:
        """`gang` waits under this id, or nothing does; whether that is new."""
        old = self._gangs.pop(id, None)
        if gang is not None:
            self._gangs[id] = gang
        if old == gang:
            return False
        codes = [] if gang is None else self._hold(gang)  # before letting go: codes then stay put
        if old is not None:
            for vocabulary, value in zip(
                self._vocabularies.values(), gang_values(old), strict=True
            ):
                vocabulary.release(value)
            self._asks.release(ask_of(old))
        if gang is None:
            self._table.drop(id)
        else:
            self._table.put(id, (*gang_numbers(gang), *codes))
        return True

    def columns(self) -> GangColumns:
        changed, rows = self._table.settle()
        old = self._columns
        if old is not None and not changed:
            return old
        columns: dict[str, Any] = {name: self._table.column(name) for name in GANG_NUMBERS}
        for name, values in GANG_CODES.items():
            vocabulary = self._vocabularies[name]
            columns[name] = vocabulary.ranks()[self._table.column(name)]
            columns[values] = vocabulary.values()
        ids = tuple(self._table.keys) if old is None or rows else old.ids
        self._columns = GangColumns(ids=ids, **columns)
        return self._columns

    def asks(self) -> tuple[list[Ask], Rows]:
        """What `distinct_asks` says of the newest columns, in another order, without looking at every gang."""
        code_G = self._table.column(ASK)
        present = np.flatnonzero(np.bincount(code_G))
        places = np.zeros(len(self._ask), dtype=np.intp)
        places[present] = np.arange(len(present))
        asks = [self._ask[code] for code in present.tolist()]
        return asks, places[code_G]

    def _hold(self, gang: Gang) -> list[int]:
        pairs = zip(self._vocabularies.values(), gang_values(gang), strict=True)
        ask = ask_of(gang)
        code = self._asks.hold(ask)
        self._ask[code : code + 1] = [ask]
        return [*[vocabulary.hold(value) for vocabulary, value in pairs], code]
