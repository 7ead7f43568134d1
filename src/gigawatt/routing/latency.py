"""Times to the first byte in buckets, four for each doubling, so that counts of many processes can be added up."""

from collections.abc import Iterable
from math import log2

from gigawatt.model.rollout import TTFT_BUCKETS

PER_DOUBLING = 4

Counts = Iterable[tuple[int, int]]  # (bucket, requests), sorted


def bucket_of(ms: float) -> int:
    """The bucket of a time; the first is of all up to a millisecond."""
    return min(int(PER_DOUBLING * log2(ms)), TTFT_BUCKETS - 1) if ms > 1 else 0


def upper_ms(bucket: int) -> float:
    """What is in a bucket took less than that."""
    return 2.0 ** ((bucket + 1) / PER_DOUBLING)


def quantile_bucket(counts: Counts, percent: int) -> int:
    """The bucket that `percent` of the requests do not go beyond. There must be any."""
    there = list(counts)
    wanted = -(-sum(count for _, count in there) * percent // 100)
    seen = 0
    for bucket, count in there:
        seen += count
        if seen >= wanted:
            return bucket
    raise AssertionError("nothing was counted")


def beyond(counts: Counts, bucket: int) -> int:
    """How many were in later buckets."""
    return sum(count for each, count in counts if each > bucket)
