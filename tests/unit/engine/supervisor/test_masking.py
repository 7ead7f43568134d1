"""Values of secrets in what ranks write: every one becomes ***, however the writes are cut."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.engine.supervisor.masking import MASK, Mask, patterns

VALUES = st.lists(st.text("ab", min_size=6, max_size=12), min_size=1, max_size=3)
PIECES = st.lists(st.text("abc", max_size=9), max_size=12)


def masked(values: list[str], writes: list[bytes]) -> bytes:
    mask = Mask(values)
    return b"".join([*map(mask.take, writes), mask.rest()])


@given(values=VALUES, pieces=PIECES, cut=st.integers(1, 9))
def test_however_it_is_cut_the_same_is_masked_as_of_the_whole(
    values: list[str], pieces: list[str], cut: int
) -> None:
    whole = "".join([*pieces, *values, *pieces]).encode()
    expected = re.sub(b"|".join(map(re.escape, patterns(values))), MASK, whole)
    writes = [whole[at : at + cut] for at in range(0, len(whole), cut)]
    assert masked(values, writes) == expected


def test_what_cannot_be_of_a_value_is_written_at_once() -> None:
    mask = Mask(["s3cret-token"])
    assert mask.take(b"step 1\ns3cr") == b"step 1\n"
    assert mask.take(b"eam\nthe key is s3cret-") == b"s3cream\nthe key is "
    assert mask.take(b"token!") == b"***!"
    assert (mask.take(b"s3c"), mask.rest()) == (b"", b"s3c")


def test_other_forms_of_a_value_are_masked_too() -> None:
    value = 'user:p@ss "word"'
    for form in ('user:p@ss \\"word\\"', "user%3Ap%40ss%20%22word%22", "dXNlcjpwQHNzICJ3b3JkIg=="):
        assert masked([value], [f"<{form}>".encode()]) == b"<***>"


def test_a_key_of_several_lines_is_masked_whole_and_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n=x\n-----END KEY-----\n"
    assert masked([key], [key.encode()]) == b"***\n"
    assert masked([key], [key.replace("\n", "\r\n").encode()]) == b"***\r\n"
    assert masked([key], [b"line 2: MIIEvQIBADANBgkqhkiG\n=x\n"]) == b"line 2: ***\n=x\n"


def test_a_value_within_another_shows_nothing_of_the_longer_one() -> None:
    assert masked(["abcdef", "abcdefgh"], [b"abcdef", b"gh abcdefx"]) == b"*** ***x"


def test_without_values_nothing_is_held_back() -> None:
    assert Mask(()).take(b"anything") == b"anything"
