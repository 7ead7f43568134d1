"""The order in which the documents of one file are sent: each after those it names, and never in a circle."""

from collections.abc import Mapping, Sequence

from gigawatt.model.refusal import RefusalCode, RefusalError


def order_by_after(after: Sequence[tuple[str, Sequence[str]]]) -> tuple[int, ...]:
    """Indexes so that each comes after the earlier ones it names; ties keep the order given.

    `after` has one (name, names it comes after) for each entry; names that none of them has are not looked at.
    Raises RefusalError naming the circle where there is one.
    """
    newest = {name: index for index, (name, _) in enumerate(after)}
    done: dict[int, None] = {}
    for index in range(len(after)):
        _visit(index, after, newest, done, path=())
    return tuple(done)


def _visit(
    index: int,
    after: Sequence[tuple[str, Sequence[str]]],
    newest: Mapping[str, int],
    done: dict[int, None],
    *,
    path: tuple[int, ...],
) -> None:
    if index in done:
        return
    if index in path:
        circle = [after[each][0] for each in (*path[path.index(index) :], index)]
        detail = f"after goes in a circle: {' -> '.join(circle)}"
        hint = "take one of these names out of its job's `after`"
        raise RefusalError(RefusalCode.INVALID, detail, field="after", hint=hint)
    for name in after[index][1]:
        if name in newest:
            _visit(newest[name], after, newest, done, path=(*path, index))
    done[index] = None
