"""Files and directories that a node without our file system has from the control plane, at the paths that they have there.

trees/<hex>        of one that is here whole: its path, and by its time when it was last used
trees/<hex>.part   one that is on its way, as far as it has come

`hex` names its state at the control plane: another state has another name, and takes its place. What ranks have written
is sent back by the same door.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.layout import write_whole
from gigawatt.engine.supervisor.node import Reply
from gigawatt.engine.supervisor.parcel import state_of, unpack_parcel, write_parcel
from gigawatt.engine.supervisor.process import in_child
from gigawatt.engine.supervisor.relay import Relay
from gigawatt.engine.supervisor.shelf import digest_of
from gigawatt.engine.supervisor.spec import StageSpec
from gigawatt.engine.supervisor.wire import Message, RequestError
from gigawatt.engine.supervisor.workdir import remove_tree

TREES_KEPT_MAX = 200
SPARE_BYTES = 1 << 30  # of the disk that stay free beside what comes


class Trees:
    """`specs` are of all attempts that are here."""

    def __init__(self, host: Host, relay: Relay, specs: Callable[[], list[StageSpec]]) -> None:
        self._host = host
        self._relay = relay
        self._specs = specs
        self._root = host.layout.root / "trees"

    def answer(self, verb: str, message: Message, reply: Reply) -> None:
        """What its verbs are answered with. Raises RequestError, OSError."""
        now = {
            "tree": self.look,
            "tree-take": self.take,
            "tree-give": self.give,
            "tree-remove": self.remove,
        }
        if verb in now:
            reply(now[verb](message))
        else:
            self.finish(message, reply)

    def look(self, message: Message) -> dict[str, Any]:
        """Whether it is here whole. What is used now is not removed."""
        note, place = self._root / digest_of(message), Path(str(message["path"]))
        if os.path.lexists(place) and note.exists():
            os.utime(note)
            return {"whole": True}
        return {"whole": os.path.lexists(place) and state_of(place)[0] == note.name}

    def take(self, message: Message) -> dict[str, Any]:
        """A ticket for what is missing of it, from behind `bytes` on; `size` is about what it needs. Raises RequestError, OSError."""
        self._root.mkdir(mode=0o700, exist_ok=True)
        part = _part(self._root / digest_of(message))
        if message["anew"]:
            part.unlink(missing_ok=True)
        self._tidy(needed=2 * int(message["size"]))
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            return {"tickets": [self._relay.keep(fd)], "bytes": os.fstat(fd).st_size}
        finally:
            os.close(fd)

    def finish(self, message: Message, reply: Reply) -> None:
        """All of it has come: have it verified and put in its place. Raises RequestError, OSError."""
        note, place = self._root / digest_of(message), Path(str(message["path"]))
        part = _part(note)

        def done(error: str) -> None:
            part.unlink(missing_ok=True)
            if error:
                reply(RequestError("machine", f"{place}: {error}"))
                return
            for other in self._notes():
                if other.read_text() == str(place):
                    other.unlink()
            write_whole(note, str(place).encode())
            reply({})

        in_child(self._host.loop, lambda: unpack_parcel(part, place), done)

    def give(self, message: Message) -> dict[str, Any]:
        """A ticket for what is at a path, as a parcel from byte `skip` on. Raises RequestError (unknown), OSError."""
        path = Path(str(message["path"]))
        if not os.path.lexists(path):
            raise RequestError("unknown", f"there is no {path}")
        skip = int(message["skip"])
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            ticket = self._relay.keep(read_end)

            def work() -> None:
                os.close(read_end)
                write_parcel(path, lambda data: _write_all(write_end, data), skip=skip)

            in_child(self._host.loop, work, lambda _: None)
        finally:
            os.close(read_end)
            os.close(write_end)
        return {"tickets": [ticket]}

    def remove(self, message: Message) -> dict[str, Any]:
        """Delete what is at these paths below `within`, where no link leads out of it."""
        within = Path(str(message["within"])).resolve()
        for each in message["paths"]:
            path = Path(str(each))
            real = path.parent.resolve() / path.name
            if within in real.parents:
                _delete(real)
        return {}

    def _tidy(self, *, needed: int) -> None:
        """Those unused the longest go, until there are few enough, and room. Raises RequestError where there is none."""
        used = _used(self._specs())
        idle = [note for note in self._notes() if note.read_text() not in used]
        idle.sort(key=lambda note: note.stat().st_mtime_ns)
        while idle and (len(self._notes()) > TREES_KEPT_MAX or self._free() < needed):
            note = idle.pop(0)
            _delete(Path(note.read_text()))
            note.unlink()
        if self._free() < needed:
            raise RequestError("machine", f"{needed} bytes are needed, and {self._free()} are free")

    def _free(self) -> int:
        return shutil.disk_usage(self._root).free - SPARE_BYTES

    def _notes(self) -> list[Path]:
        return [each for each in self._root.iterdir() if not each.suffix]


def _used(specs: list[StageSpec]) -> set[str]:
    found: set[str] = set()
    for spec in specs:
        found |= {spec.environment, spec.model_path, spec.resume_path}
        found |= {volume.source for volume in spec.volumes}
    return found


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _delete(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        remove_tree(path)


def _part(note: Path) -> Path:
    return note.with_name(f"{note.name}.part")
