"""The supervisor's own log: lines of JSON on standard error, within a limit."""

from __future__ import annotations

import json
import os
import time

NOTES_BYTES_MAX = 4 << 20


class Notes:
    """Writes to a descriptor; what the disk does not take is counted and told with the next line."""

    def __init__(self, node: str, fd: int = 2) -> None:
        self._node = node
        self._fd = fd
        self._dropped = 0

    def note(self, message: str, **facts: object) -> None:
        entry = {"at_ms": time.time_ns() // 1_000_000, "node": self._node, "message": message}
        if self._dropped:
            entry["dropped"] = self._dropped
        line = json.dumps({**entry, **facts}, default=str) + "\n"
        try:
            if os.fstat(self._fd).st_size > NOTES_BYTES_MAX:
                os.ftruncate(self._fd, 0)
            os.write(self._fd, line.encode())
            self._dropped = 0
        except OSError:
            self._dropped += 1

    def fault(self, error: BaseException) -> None:
        """An error that we did not expect: our mistake, on record with its traceback."""
        import traceback

        trace = "".join(traceback.format_exception(error))
        self.note("fault", error=repr(error), trace=trace)
