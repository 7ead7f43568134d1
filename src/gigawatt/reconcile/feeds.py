"""The power tree: feeds are made, changed and removed, and stay a tree."""

from gigawatt.model.order import RemoveFeed, SetFeed
from gigawatt.model.power import DEPTH_MAX, Feed
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.versions import check_version

FEEDS_MAX = 100_000


def command(turn: Turn, asked: SetFeed | RemoveFeed) -> Feed:
    """What is asked of the tree; the feed that was made, changed or removed. Raises RefusalError."""
    return put(turn, asked) if isinstance(asked, SetFeed) else remove(turn, asked)


def put(turn: Turn, command: SetFeed) -> Feed:
    """Make a feed, or give it another cap, place or supplies. What gangs draw already, they go on to draw."""
    before = turn.world.feeds.get(command.name)
    if before is None and len(turn.world.feeds) >= FEEDS_MAX:
        raise RefusalError(RefusalCode.LIMIT, f"there are {FEEDS_MAX} feeds, which is the limit")
    if before is not None:
        check_version(f"feed {before.id}", before.version, command.if_version)
    _check_parent(turn, command)
    after = Feed(
        id=command.name,
        created_ms=before.created_ms if before else turn.now_ms,
        parent=command.parent,
        cap_milliwatts=command.cap_milliwatts,
        supplies=command.supplies,
        version=before.version if before else 1,
    )
    if before is not None and after == before:
        return before
    after = turn.put(after)
    cap = "without a cap" if after.cap_milliwatts is None else f"{after.cap_milliwatts // 1000} W"
    turn.emit("feed.set", after, f"{cap}, by {command.by}")
    return after


def remove(turn: Turn, command: RemoveFeed) -> Feed:
    """Take a feed out of the tree that carries no other. Raises RefusalError."""
    before = turn.world.feeds.get(command.name)
    if before is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no feed {command.name}")
    check_version(f"feed {before.id}", before.version, command.if_version)
    carried = sorted(each.id for each in turn.world.feeds.values() if each.parent == before.id)
    if carried:
        detail = f"feed {before.id} carries {carried[0]}"
        more = f" and {len(carried) - 1} more" if len(carried) > 1 else ""
        hint = "remove those first, or make them part of another"
        raise RefusalError(RefusalCode.CONFLICT, detail + more, hint=hint)
    after = turn.put(replace(before, deleted_ms=turn.now_ms))
    turn.emit("feed.removed", after, f"by {command.by}")
    return after


def _check_parent(turn: Turn, command: SetFeed) -> None:
    """The tree stays a tree, and no deeper than it may be."""
    above, depth = command.parent, 1
    while above:
        depth += 1
        parent = turn.world.feeds.get(above)
        if parent is None:
            raise RefusalError(RefusalCode.NOT_FOUND, f"there is no feed {above}", field="parent")
        if above == command.name:
            detail = f"feed {above} would carry itself"
            raise RefusalError(RefusalCode.INVALID, detail, field="parent")
        above = parent.parent
    if depth + _height(turn, command.name) > DEPTH_MAX:
        detail = f"feeds may be {DEPTH_MAX} deep, and this would be more"
        raise RefusalError(RefusalCode.INVALID, detail, field="parent")


def _height(turn: Turn, name: str) -> int:
    """How many levels there are below it."""
    below: dict[str, list[str]] = {}
    for each in turn.world.feeds.values():
        below.setdefault(each.parent, []).append(each.id)
    height, level = -1, [name]
    while level:
        height += 1
        level = [child for each in level for child in below.get(each, ())]
    return height
