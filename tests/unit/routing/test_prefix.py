from hypothesis import given
from hypothesis import strategies as st

from gigawatt.routing.prefix import BLOCK_BYTES, BLOCKS_MAX, PrefixIndex, blocks_of

A = b"a" * BLOCK_BYTES
B = b"b" * BLOCK_BYTES


def test_a_block_is_named_by_all_up_to_its_end() -> None:
    assert blocks_of(A + B)[0] == blocks_of(A + A)[0]
    assert blocks_of(A + B)[1] != blocks_of(B + B)[1]
    assert blocks_of(A[:-1]) == ()
    assert len(blocks_of(A * (BLOCKS_MAX + 5))) == BLOCKS_MAX


def test_what_each_replica_has_seen_of_a_beginning() -> None:
    index = PrefixIndex()
    index.note(blocks_of(A + A), "one")
    index.note(blocks_of(A + B), "two")
    assert index.matches(blocks_of(A + B + B)) == {"one": 1, "two": 2}
    assert index.matches(blocks_of(B)) == {}


def test_a_replica_that_is_gone_has_seen_nothing() -> None:
    index = PrefixIndex()
    index.note(blocks_of(A + A), "one")
    index.note(blocks_of(A), "two")
    index.keep(["two"])
    assert index.matches(blocks_of(A + A)) == {"two": 1}
    assert len(index) == 1


def test_the_beginning_of_the_newest_is_what_is_kept() -> None:
    index = PrefixIndex(entries_max=2)
    index.note(blocks_of(B), "one")
    index.note(blocks_of(A * 3), "two")
    assert index.matches(blocks_of(B)) == {}
    assert index.matches(blocks_of(A * 3)) == {"two": 2}


@given(
    sent=st.lists(st.tuples(st.text("ab", max_size=5), st.sampled_from(["one", "two"]))),
    asked=st.text("ab", max_size=5),
)
def test_matches_are_the_longest_common_beginnings(sent: list[tuple[str, str]], asked: str) -> None:
    index = PrefixIndex()
    for letters, replica in sent:
        index.note(blocks_of(_prompt(letters)), replica)
    longest: dict[str, int] = {}
    for letters, replica in sent:
        longest[replica] = max(longest.get(replica, 0), _common(letters, asked))
    assert index.matches(blocks_of(_prompt(asked))) == {r: n for r, n in longest.items() if n}


def _prompt(letters: str) -> bytes:
    return b"".join(letter.encode() * BLOCK_BYTES for letter in letters)


def _common(one: str, two: str) -> int:
    return next(
        (n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b),
        min(len(one), len(two)),
    )
