"""Over any graph of references: nothing that anything needs goes, and whatever nothing needs does."""

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.retention import Kind
from gigawatt.reconcile.prune_plan import Item, PrunePlan, Ref, plan

NOW_MS = 1_000
ITEMS_MAX = 14
KINDS = (*Kind, "endpoint", "model")


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Item, ...]:
    """Items of all kinds, referring to and owned by any others: circles, strangers and themselves included."""
    count = draw(st.integers(0, ITEMS_MAX))
    refs: list[Ref] = [(draw(st.sampled_from(KINDS)), f"i{number}") for number in range(count)]
    anyone = st.sampled_from([*refs, (Kind.CONTENTS, "not there")])
    return tuple(
        Item(
            kind=kind,
            id=name,
            used_ms=draw(st.integers(0, 5)),
            expires_ms=draw(st.sampled_from([None, NOW_MS - 1, NOW_MS, NOW_MS + 1])),
            pinned=draw(st.sampled_from(["", "", "it runs"])),
            refers=tuple(draw(st.lists(anyone, max_size=4))),
            owner=draw(st.one_of(st.none(), anyone)),
        )
        for kind, name in refs
    )


def gone(planned: PrunePlan) -> set[Ref]:
    return {item.ref for item in planned.go}


@given(graphs())
def test_nothing_goes_that_is_pinned_or_that_anything_which_stays_refers_to(
    items: tuple[Item, ...],
) -> None:
    going = gone(plan(items, now_ms=NOW_MS))
    for item in items:
        if item.ref in going:
            assert not item.pinned
        else:
            assert not going.intersection(item.refers)


@given(graphs())
def test_nothing_goes_before_its_time_unless_what_owns_it_goes(items: tuple[Item, ...]) -> None:
    going = gone(plan(items, now_ms=NOW_MS))
    for item in items:
        if item.ref in going:
            due = item.expires_ms is not None and item.expires_ms <= NOW_MS
            assert due or item.owner in going


@given(graphs())
def test_everything_is_in_the_plan_once_and_what_stays_says_why(items: tuple[Item, ...]) -> None:
    planned = plan(items, now_ms=NOW_MS)
    told = [*(item.ref for item in planned.go), *(each.item.ref for each in planned.stay)]
    assert sorted(told) == sorted(item.ref for item in items)
    assert all(each.why for each in planned.stay)


@given(graphs())
def test_what_is_due_and_needed_by_nothing_that_stays_goes(items: tuple[Item, ...]) -> None:
    planned = plan(items, now_ms=NOW_MS)
    going = gone(planned)
    needed = {ref for item in items if item.ref not in going for ref in item.refers}
    for item in items:
        due = item.expires_ms is not None and item.expires_ms <= NOW_MS
        if due and not item.pinned and item.ref not in needed:
            assert item.ref in going


@given(graphs(), st.integers(0, ITEMS_MAX))
def test_a_plan_cut_short_leaves_nothing_that_refers_to_what_is_gone(
    items: tuple[Item, ...], done: int
) -> None:
    straight = tuple(_downward(item) for item in items)  # without circles: those come last, whole
    planned = plan(straight, now_ms=NOW_MS)
    removed = {item.ref for item in planned.go[:done]}
    for item in straight:
        if item.ref not in removed:
            assert not removed.intersection(item.refers)
        elif item.owner in gone(planned):
            assert item.owner in removed


@given(graphs())
def test_the_order_in_which_items_are_found_means_nothing(items: tuple[Item, ...]) -> None:
    assert plan(items, now_ms=NOW_MS) == plan(tuple(reversed(items)), now_ms=NOW_MS)


def _downward(item: Item) -> Item:
    number = int(item.id[1:])
    return Item(
        kind=item.kind,
        id=item.id,
        used_ms=item.used_ms,
        expires_ms=item.expires_ms,
        pinned=item.pinned,
        refers=tuple(ref for ref in item.refers if _number(ref) > number),
        owner=item.owner if item.owner and _number(item.owner) < number else None,
    )


def _number(ref: Ref) -> int:
    return int(ref[1][1:]) if ref[1][1:].isdecimal() else ITEMS_MAX
