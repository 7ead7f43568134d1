"""Ids: a prefix that says what it names, then a time-ordered, unguessable tail in Crockford's base 32."""

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
TIME_DIGITS = 9
RANDOM_BYTES = 5


def make_id(prefix: str, *, now_ms: int, entropy: bytes) -> str:
    """`job-01jd3k5q2w8x4m6n0p`-like id; ids of one prefix sort by their time. `entropy` is at least 5 bytes."""
    assert len(entropy) >= RANDOM_BYTES
    random_digits = RANDOM_BYTES * 8 // 5
    tail = int.from_bytes(entropy[:RANDOM_BYTES], "big")
    return f"{prefix}-{_digits(now_ms, TIME_DIGITS)}{_digits(tail, random_digits)}"


def _digits(value: int, count: int) -> str:
    return "".join(ALPHABET[value >> (5 * place) & 31] for place in reversed(range(count)))
