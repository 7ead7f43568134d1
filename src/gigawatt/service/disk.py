"""The disk of the data directory, watched: what would fill it is refused before it is full."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile.pressure import Level, Marks, level
from gigawatt.service.ports import Room


@dataclass(slots=True, kw_only=True)
class Disk:
    """`level` and `room` are of the last look."""

    place: Path
    marks: Marks
    level: Level = Level.WELL
    room: Room = field(default=Room(total_bytes=0, free_bytes=0))

    def look(self) -> Level:
        """The level now: one call of the system."""
        usage = shutil.disk_usage(self.place)
        self.room = Room(total_bytes=usage.total, free_bytes=usage.free)
        self.level = level(self.level, self.marks, free_bytes=usage.free, total_bytes=usage.total)
        return self.level

    def check_room(self) -> None:
        """Refuse what would fill it further. Raises RefusalError (disk-full)."""
        if self.look() is not Level.HARD:
            return
        mark = self.marks.of(Level.HARD, total_bytes=self.room.total_bytes)
        raise RefusalError(
            RefusalCode.DISK_FULL,
            f"the disk has {self.room.free_bytes >> 20} MiB free, and below {mark >> 20} MiB"
            " nothing new is built or uploaded",
            hint="make room; `gw prune --dry-run --older-than 7d` shows what could go",
        )
