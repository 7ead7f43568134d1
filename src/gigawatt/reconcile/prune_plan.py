"""What may go: a pure function of who refers to what.

Everything that might be removed is an item. One that is pinned, or whose time has not come, stays; so does whatever an
item that stays refers to, at any distance. What is left goes, users before what they use: a plan that is carried out
only in part, from its beginning, leaves nothing that refers to what is not there.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Ref = tuple[str, str]  # a kind, of those in `model.retention` or any other, and an id

BY_POLICY = "its policy keeps it"
TOO_NEW = "no record names it, and it is so new that one may come"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """`expires_ms` is when its policy lets it go, None for never. An item also goes when its `owner` does."""

    kind: str
    id: str
    tenant: str = ""
    project: str = ""
    size_bytes: int = 0
    used_ms: int = 0  # when it was last of use
    expires_ms: int | None = None
    pinned: str = ""  # why it stays whatever its policy says, e.g. "it runs"
    refers: tuple[Ref, ...] = ()
    owner: Ref | None = None

    @property
    def ref(self) -> Ref:
        return self.kind, self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """An item that stays, and why."""

    item: Item
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """`go` in the order in which to remove; `stay` by kind and id."""

    go: tuple[Item, ...]
    stay: tuple[Stay, ...]


def plan(items: Iterable[Item], *, now_ms: int) -> PrunePlan:
    """What goes and what stays. References to what is no item, as it is gone already, mean nothing."""
    by_ref = {item.ref: item for item in items}
    going = {ref for ref, item in by_ref.items() if not item.pinned}
    kept_by: dict[Ref, Ref] = {}
    while True:  # an item that turns out to be needed keeps what it owns, which may need more again
        wanted = {ref for ref in going if _may_go(by_ref[ref], going, now_ms)}
        reached = _reached(by_ref, wanted)
        kept_by = {**reached, **kept_by}
        after = wanted - reached.keys()
        if after == going:
            break
        going = after
    stay = [
        Stay(item=item, why=_why(item, kept_by)) for ref, item in by_ref.items() if ref not in going
    ]
    stay.sort(key=lambda each: (each.item.kind, each.item.id))
    return PrunePlan(go=_users_first(by_ref, going), stay=tuple(stay))


def _may_go(item: Item, going: set[Ref], now_ms: int) -> bool:
    due = item.expires_ms is not None and item.expires_ms <= now_ms
    return due or item.owner in going


def _reached(by_ref: Mapping[Ref, Item], wanted: set[Ref]) -> dict[Ref, Ref]:
    """What of `wanted` anything that stays refers to, at any distance, and who does."""
    found: dict[Ref, Ref] = {}
    pending = deque(sorted(by_ref.keys() - wanted))
    while pending:
        user = pending.popleft()
        for used in by_ref[user].refers:
            if used in wanted and used not in found:
                found[used] = user
                pending.append(used)
    return found


def _why(item: Item, kept_by: Mapping[Ref, Ref]) -> str:
    if item.pinned:
        return item.pinned
    if item.ref in kept_by:
        kind, name = kept_by[item.ref]
        return f"{kind.removesuffix('s')} {name} needs it"
    return BY_POLICY if item.tenant or item.expires_ms is None else TOO_NEW


def _users_first(by_ref: Mapping[Ref, Item], going: set[Ref]) -> tuple[Item, ...]:
    """Before each item its owner and all that refer to it, and of those that may come next the one longest unused.

    What refers to itself in a circle comes last.
    """
    users = dict.fromkeys(going, 0)
    follow = _followers(by_ref, going)
    for used in (each for held in follow.values() for each in held):
        users[used] += 1
    ready = [_turn_of(by_ref[ref]) for ref, count in users.items() if not count]
    heapq.heapify(ready)
    order: list[Item] = []
    while ready:
        *_, ref = heapq.heappop(ready)
        order.append(by_ref[ref])
        for used in sorted(follow[ref]):
            users[used] -= 1
            if not users[used]:
                heapq.heappush(ready, _turn_of(by_ref[used]))
    circles = going - {item.ref for item in order}
    return (*order, *(by_ref[ref] for ref in sorted(circles)))


def _followers(by_ref: Mapping[Ref, Item], going: set[Ref]) -> dict[Ref, set[Ref]]:
    """What may only go after each item: what it refers to, and what it owns."""
    follow = {
        ref: {used for used in by_ref[ref].refers if used in going and used != ref} for ref in going
    }
    for ref in going:
        owner = by_ref[ref].owner
        if owner in going and owner != ref:
            follow[owner].add(ref)
    return follow


def _turn_of(item: Item) -> tuple[int, Ref]:
    return item.used_ms, item.ref
