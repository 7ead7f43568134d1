"""Whom a key stands for, and when and from where it was last used."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from gigawatt.model.accounts import NoteKeyUses
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import ApiKey, Caller, KeyUse, Role, User
from gigawatt.service.ports import Leader
from gigawatt.store.base import Store

USE_EVERY_MS = 3_600_000  # the last use of a key is known to this
ADDRESSES_MAX = 16  # of one key; the newest
KEYS_MAX = 10_000  # whose uses are remembered here
NOTED_MAX = 500  # at once


def caller_of(key: ApiKey, owner: User | None, role: Role) -> Caller:
    """The caller that a key stands for, with the role that it has now."""
    return Caller(
        name=owner.name if owner is not None else key.name,
        role=role,
        tenant=key.tenant,
        project=key.project,
        key=key.id,
        user=key.user,
        scopes=key.scopes,
    )


@dataclass(slots=True)
class _Used:
    tenant: str
    project: str
    used_ms: int  # as it is on record
    addresses: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class KeyUses:
    """Kept in memory, and put on record now and then: at most once an hour for a key, or when it comes from elsewhere."""

    _used: OrderedDict[str, _Used] = field(default_factory=OrderedDict[str, _Used])
    _waiting: dict[str, None] = field(default_factory=dict[str, None])
    _moved: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def learn(self, store: Store, key: ApiKey) -> None:
        """Read what is on record of a key. Blocks."""
        if key.id in self._used:
            return
        before = store.read(KeyUse, key.id)
        self._used[key.id] = _Used(
            key.tenant,
            key.project,
            before.used_ms if before else 0,
            before.addresses if before else (),
        )
        if len(self._used) > KEYS_MAX:
            self._waiting.pop(self._used.popitem(last=False)[0], None)

    def moves(self) -> list[tuple[str, str]]:
        """Keys that came from an address that is new, where they had others before; each is told once."""
        moved, self._moved = self._moved, []
        return moved

    def note(self, key: str, address: str, *, now_ms: int) -> None:
        """A key is used now."""
        used = self._used.get(key)
        if used is None:
            return
        fresh = bool(address) and address not in used.addresses
        if not fresh and now_ms - used.used_ms < USE_EVERY_MS:
            return
        if fresh:
            if used.addresses:
                self._moved.append((key, address))
            used.addresses = (address, *used.addresses)[:ADDRESSES_MAX]
        used.used_ms = now_ms
        self._waiting[key] = None

    async def record(self, leader: Leader) -> int:
        """Put on record what is new; how many keys that were. What cannot be written now waits for the next time."""
        keys = list(self._waiting)[:NOTED_MAX]
        uses = tuple(
            KeyUse(
                id=key,
                tenant=used.tenant,
                project=used.project,
                used_ms=used.used_ms,
                addresses=used.addresses,
            )
            for key in keys
            if (used := self._used.get(key)) is not None
        )
        for key in keys:
            del self._waiting[key]
        if not uses:
            return 0
        try:
            await asyncio.shield(leader.submit(NoteKeyUses(uses=uses), receipt=None))
        except RefusalError:
            self._waiting.update(dict.fromkeys(keys))
            return 0
        return len(uses)
