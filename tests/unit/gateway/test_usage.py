import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.gateway.usage import Usage, UsageFilter, usage_of_body

STATED = {
    "prompt_tokens": 7,
    "completion_tokens": 4,
    "total_tokens": 11,
    "prompt_tokens_details": {"cached_tokens": 3},
}
USAGE = Usage(prompt_tokens=7, completion_tokens=4, cached_tokens=3)
EVENT_BYTES_MAX = 1000


def event(fields: object, end: str = "\n\n") -> bytes:
    return b"data: " + json.dumps(fields).encode() + end.encode()


def word(text: str) -> bytes:
    return event({"choices": [{"delta": {"content": text}}]})


EXTRA = event({"choices": [], "usage": STATED})
DONE = b"data: [DONE]\n\n"


def passed(
    data: bytes, *, strip: bool, cuts: list[int] | None = None
) -> tuple[bytes, Usage | None]:
    """`data` in pieces through a filter."""
    usage = UsageFilter(strip=strip, event_bytes_max=EVENT_BYTES_MAX)
    out, start = b"", 0
    for cut in [*sorted(cuts or []), len(data)]:
        out += usage.feed(data[start:cut])
        start = max(start, cut)
    return out + usage.finish(), usage.usage


def test_the_chunk_that_only_carries_usage_is_taken_out() -> None:
    stream = word("a") + word("b") + EXTRA + DONE
    assert passed(stream, strip=True) == (word("a") + word("b") + DONE, USAGE)


def test_it_stays_where_the_client_asked_for_it() -> None:
    stream = word("a") + EXTRA + DONE
    assert passed(stream, strip=False) == (stream, USAGE)


def test_usage_beside_choices_is_read_and_stays() -> None:
    stream = event({"choices": [{"text": "a"}], "usage": STATED}) + DONE
    assert passed(stream, strip=True) == (stream, USAGE)


def test_the_last_statement_of_usage_counts() -> None:
    first = event(
        {"choices": [{"text": "a"}], "usage": {"prompt_tokens": 7, "completion_tokens": 1}}
    )
    assert passed(first + EXTRA + DONE, strip=True) == (first + DONE, USAGE)


def test_null_usage_and_talk_of_usage_are_passed_on() -> None:
    stream = (
        event({"choices": [], "usage": None})
        + word('"usage": {"prompt_tokens": 1}')
        + b'data: {"usage": {broken\n\n'
        + b'data: {"usage": {}}\n\n'
        + DONE
    )
    assert passed(stream, strip=True)[0] == stream


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r"])
def test_every_way_to_end_an_event_is_understood(end: str) -> None:
    extra = event({"choices": [], "usage": STATED}, end)
    other = event({"choices": [1]}, end)
    assert passed(other + extra + other, strip=True) == (other + other, USAGE)


def test_an_event_beyond_the_limit_passes_unread() -> None:
    long = event({"choices": [], "pad": "x" * EVENT_BYTES_MAX, "usage": STATED})
    cuts = list(range(0, len(long), 100))
    for strip in (True, False):
        assert passed(long + DONE, strip=strip, cuts=cuts) == (long + DONE, None)


def test_the_last_event_may_lack_its_end() -> None:
    assert passed(word("a") + EXTRA[:-2], strip=True) == (word("a"), USAGE)
    assert passed(word("a") + DONE[:-1], strip=True) == (word("a") + DONE[:-1], None)


def test_it_knows_whether_the_client_is_between_events() -> None:
    usage = UsageFilter(strip=False, event_bytes_max=EVENT_BYTES_MAX)
    seen = [usage.between_events]
    for piece in (b"data: a", b"\n", b"\n", b"data: b\r\n\r", b"\n"):
        usage.feed(piece)
        seen.append(usage.between_events)
    assert seen == [True, False, False, True, False, True]


pieces = st.lists(
    st.sampled_from(
        [
            word("a"),
            word('"usage"'),
            EXTRA,
            DONE,
            b": ping\n\n",
            b"\n\n",
            b"\r\n",
            b"data: x\r\n\r\n",
        ]
    ),
    max_size=8,
)


@given(pieces=pieces, cuts=st.lists(st.integers(0, 800), max_size=12), strip=st.booleans())
def test_how_a_stream_is_cut_makes_no_difference(
    *, pieces: list[bytes], cuts: list[int], strip: bool
) -> None:
    stream = b"".join(pieces)
    assert passed(stream, strip=strip, cuts=cuts) == passed(stream, strip=strip)


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_what_is_not_stripped_is_untouched(data: bytes, cuts: list[int]) -> None:
    assert passed(data, strip=False, cuts=cuts)[0] == data


def test_the_usage_of_a_whole_reply() -> None:
    assert usage_of_body(json.dumps({"choices": [], "usage": STATED}).encode()) == USAGE


def test_an_embeddings_usage_has_no_completion() -> None:
    body = json.dumps({"usage": {"prompt_tokens": 5, "total_tokens": 5}}).encode()
    assert usage_of_body(body) == Usage(prompt_tokens=5, completion_tokens=0)


def test_the_usage_of_a_large_reply_is_found_at_its_end() -> None:
    body = json.dumps({"data": ["0.5"] * 100_000, "usage": STATED}).encode()
    assert usage_of_body(body) == USAGE
    assert usage_of_body(body[-5000:]) == USAGE


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"nonsense", b'{"usage": null}', b'{"usage": {', b'{"usage": [1]}', b'["usage"]'],
)
def test_no_usage_is_none(body: bytes) -> None:
    assert usage_of_body(body) is None


def test_counts_that_are_no_counts_are_zero() -> None:
    stated = {"prompt_tokens": -1, "completion_tokens": "4", "prompt_tokens_details": 3}
    assert usage_of_body(json.dumps({"usage": stated}).encode()) == Usage(
        prompt_tokens=0, completion_tokens=0
    )
