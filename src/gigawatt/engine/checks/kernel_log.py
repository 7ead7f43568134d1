"""New lines of the kernel log since the last look, by the sequence numbers of /dev/kmsg."""

from __future__ import annotations

import errno
import os

KMSG = "/dev/kmsg"
RECORD_BYTES_MAX = 8192
RECORDS_MAX = 200_000


def read_since(last: int, path: str = KMSG) -> tuple[int, list[str]]:
    """Messages after the sequence number `last`, and the newest number. Raises OSError where it may not be read."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    lines: list[str] = []
    try:
        for _ in range(RECORDS_MAX):
            try:
                record = os.read(fd, RECORD_BYTES_MAX)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.EPIPE:  # records were overwritten before we read them
                    continue
                raise
            if not record:
                break
            number, message = parse(record.decode(errors="replace"))
            if number > last:
                last = number
                lines.append(message)
    finally:
        os.close(fd)
    return last, lines


def parse(record: str) -> tuple[int, str]:
    """`priority,sequence,time,flags;message`, and continuation lines that do not concern us."""
    head, _, message = record.partition(";")
    fields = head.split(",")
    number = int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else -1
    return number, message.split("\n", 1)[0]
