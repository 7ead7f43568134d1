"""The beginning of an id as a span of time."""

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.ids import make_id
from gigawatt.sdk.idprefix import JOB_PREFIX, prefix_range_ms


@given(st.integers(0, 2**45 - 1), st.binary(min_size=5, max_size=5), st.integers(1, 17))
def test_every_beginning_of_an_id_spans_the_time_in_it(
    now_ms: int, entropy: bytes, digits: int
) -> None:
    whole = make_id("job", now_ms=now_ms, entropy=entropy)
    span = prefix_range_ms(whole[: len(JOB_PREFIX) + digits], JOB_PREFIX)
    assert span is not None
    first, last = span
    assert first <= now_ms <= last
    assert last - first == 32 ** max(0, 9 - digits) - 1


def test_names_are_not_taken_for_ids() -> None:
    assert [prefix_range_ms(text, JOB_PREFIX) for text in ("tiny", "job-", "job-UP", "jobs-1")] == [
        None
    ] * 4
