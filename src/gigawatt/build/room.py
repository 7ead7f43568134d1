"""When the disk has no room: one refusal, wherever it is noticed."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.bundle import NO_ROOM


@contextmanager
def room_needed(place: Path) -> Generator[None]:
    """Turn "no room" of anything written below `place` into RefusalError (disk-full); other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise RefusalError(
            RefusalCode.DISK_FULL,
            f"the disk that holds {place} has no room left ({error.strerror})",
            hint="free some space and ask again; nothing of this was kept",
        ) from error
