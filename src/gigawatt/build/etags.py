"""What an ETag of S3 says of an object's bytes: the MD5 of them, the MD5 of its parts' MD5s, or nothing."""

import hashlib
import os
import re
from collections.abc import Sequence

PLAIN = re.compile(r"[0-9a-f]{32}")
READ_BYTES = 1 << 20
OF_PARTS = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})")


class Check:
    """Fed with an object's bytes in order; `holds` says whether they are those that the ETag is of.

    `part_bytes` is the size of its first part, 0 where it was sent whole. ETags of other forms say nothing, and those
    of parts say nothing where the parts are not all of one size: then `checks` is false and `holds` true.
    """

    def __init__(self, etag: str, size_bytes: int, *, part_bytes: int = 0) -> None:
        self._etag = etag
        self._part_bytes = part_bytes
        self._parts: list[bytes] = []
        self._digest = _md5()
        self._in_part = 0
        parts = OF_PARTS.fullmatch(etag)
        if parts is None:
            self.checks = PLAIN.fullmatch(etag) is not None
            self._part_bytes = 0
        else:
            count = int(parts[1])
            self.checks = count > 1 and part_bytes > 0 and -(-size_bytes // part_bytes) == count

    def update(self, data: bytes) -> None:
        if not self.checks:
            return
        if not self._part_bytes:
            self._digest.update(data)
            return
        view = memoryview(data)
        while view:
            taken = view[: self._part_bytes - self._in_part]
            self._digest.update(taken)
            self._in_part += len(taken)
            view = view[len(taken) :]
            if self._in_part == self._part_bytes:
                self._close_part()

    def holds(self) -> bool:
        """Whether the bytes so far are the object's, as far as its ETag tells."""
        if not self.checks:
            return True
        if not self._part_bytes:
            return self._digest.hexdigest() == self._etag
        if self._in_part:
            self._close_part()
        whole = hashlib.md5(b"".join(self._parts), usedforsecurity=False).hexdigest()
        return f"{whole}-{len(self._parts)}" == self._etag

    def _close_part(self) -> None:
        self._parts.append(self._digest.digest())
        self._digest, self._in_part = _md5(), 0


def etag_of_parts(fd: int, sizes: Sequence[int]) -> str:
    """The ETag of an open file's bytes that were sent in parts of these sizes."""
    digests: list[bytes] = []
    offset = 0
    for size in sizes:
        part, end = _md5(), offset + size
        while data := os.pread(fd, min(READ_BYTES, end - offset), offset):
            part.update(data)
            offset += len(data)
        digests.append(part.digest())
    whole = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(digests)}"


def _md5() -> "hashlib._Hash":
    """Against damage on the way and mistaken bytes, not against malice: it is what S3 has."""
    return hashlib.md5(usedforsecurity=False)
