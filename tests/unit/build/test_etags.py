"""ETags: of a whole object, of one in parts, and those that say nothing."""

import hashlib

import pytest

from gigawatt.build.etags import Check

DATA = b"0123456789" * 5


def md5(data: bytes) -> "hashlib._Hash":
    return hashlib.md5(data, usedforsecurity=False)


def parts_etag(data: bytes, size: int) -> str:
    digests = [md5(data[at : at + size]).digest() for at in range(0, len(data), size)]
    return f"{md5(b''.join(digests)).hexdigest()}-{len(digests)}"


@pytest.mark.parametrize("step", [1, 7, 16, 50])
@pytest.mark.parametrize("part_bytes", [0, 16, 25])
def test_the_right_bytes_hold_and_others_do_not_however_they_come(
    step: int, part_bytes: int
) -> None:
    etag = parts_etag(DATA, part_bytes) if part_bytes else md5(DATA).hexdigest()
    for data, right in ((DATA, True), (DATA[:-1] + b"x", False)):
        check = Check(etag, len(DATA), part_bytes=part_bytes)
        for at in range(0, len(data), step):
            check.update(data[at : at + step])
        assert (check.checks, check.holds()) == (True, right)


@pytest.mark.parametrize("etag", ["", "CJ-opaque", "0" * 32 + "-1", "0" * 32 + "-9", "A" * 32])
def test_an_etag_that_says_nothing_of_the_bytes_checks_nothing(etag: str) -> None:
    check = Check(etag, len(DATA), part_bytes=16)
    check.update(DATA)
    assert (check.checks, check.holds()) == (False, True)
