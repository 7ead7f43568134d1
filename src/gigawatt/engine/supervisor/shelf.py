"""What a node that shares no file system with the control plane is given and asked for: bundles, and ranks' output.

bundles/<hex>        a bundle, unpacked: whole, and verified by its digest
bundles/<hex>.part   its archive, as far as it has come
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.log_reading import find_log, read_log
from gigawatt.engine.supervisor.node import Reply
from gigawatt.engine.supervisor.process import in_child
from gigawatt.engine.supervisor.wire import Message, RequestError
from gigawatt.engine.supervisor.workdir import remove_tree

BUNDLES_KEPT_MAX = 50
LOG_BYTES_MAX = 1 << 20  # of one answer
HASH_BYTES = 1 << 20


def digest_of(message: Message) -> str:
    """In hex. Raises RequestError."""
    name = str(message["digest"])
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise RequestError("bad-request", f"not a digest: {name!r}")
    return name


class Shelf:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._bundles = host.layout.root / "bundles"

    def answer(self, verb: str, message: Message, reply: Reply) -> None:
        """What its verbs are answered with. Raises RequestError, OSError."""
        now = {
            "bundle": self.bundle,
            "bundle-part": self.take_part,
            "log": self.log,
            "find-log": self.find,
        }
        if verb in now:
            reply(now[verb](message))
        else:
            self.finish(message, reply)

    def bundle(self, message: Message) -> dict[str, Any]:
        """Where it is, if it is here whole; else how much of its archive has come. What is used now is not removed."""
        place = self._bundles / digest_of(message)
        if place.is_dir():
            os.utime(place)
            return {"path": str(place), "bytes": 0}
        part = _part(place)
        return {"path": "", "bytes": part.stat().st_size if part.exists() else 0}

    def take_part(self, message: Message) -> dict[str, Any]:
        """The next bytes of an archive; `offset` 0 begins anew. Raises RequestError, OSError."""
        part, offset = _part(self._bundles / digest_of(message)), int(message["offset"])
        self._bundles.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if offset > os.fstat(fd).st_size:
                raise RequestError("bad-request", f"{offset} is beyond what has come")
            os.ftruncate(fd, offset)
            data = base64.b64decode(message["data"])
            if os.pwrite(fd, data, offset) != len(data):
                raise OSError(28, "no space left on device", str(part))
        finally:
            os.close(fd)
        return {}

    def finish(self, message: Message, reply: Reply) -> None:
        """All of an archive has come: have it verified and unpacked. Raises RequestError, OSError."""
        place = self._bundles / digest_of(message)

        def done(error: str) -> None:
            if error:
                _part(place).unlink(missing_ok=True)
                reply(RequestError("machine", f"bundle {place.name[:12]}: {error}"))
                return
            reply({"path": str(place), "bytes": 0})
            self._tidy()

        in_child(self._host.loop, lambda: _unpack(place), done)

    def log(self, message: Message) -> dict[str, Any]:
        """Bytes of a rank's output. Raises RequestError (unknown)."""
        limit = min(int(message["limit"]), LOG_BYTES_MAX)
        chunk = read_log(self._log_of(message), offset=int(message["offset"]), limit=limit)
        data = base64.b64encode(chunk.data).decode()
        return {"offset": chunk.offset, "data": data, "end": chunk.end}

    def find(self, message: Message) -> dict[str, Any]:
        """Where a rank's output since a moment begins. Raises RequestError (unknown)."""
        return {"offset": find_log(self._log_of(message), since_ms=int(message["since_ms"]))}

    def _log_of(self, message: Message) -> Path:
        key, stream = str(message["key"]), str(message["stream"])
        name = f"rank-{int(message['rank'])}.{stream}"
        path = self._host.layout.attempts / key / "logs" / name
        if "/" in key or stream not in {"stdout", "stderr"} or not path.is_dir():
            raise RequestError("unknown", f"there is no log of rank {message['rank']} of {key}")
        return path

    def _tidy(self) -> None:
        """Those unused the longest go; an attempt has a copy of its own by then."""
        whole = [path for path in self._bundles.iterdir() if path.is_dir()]
        whole.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in whole[BUNDLES_KEPT_MAX:]:
            remove_tree(path)


def _unpack(place: Path) -> None:
    """In a child. Raises OSError."""
    import tarfile

    part, fresh = _part(place), place.with_name(f"{place.name}.new")
    found = hashlib.sha256()
    with part.open("rb") as file:
        while data := file.read(HASH_BYTES):
            found.update(data)
    if found.hexdigest() != place.name:
        raise OSError(f"what came has another digest, {found.hexdigest()[:12]}")
    remove_tree(fresh)
    try:
        with tarfile.open(part, "r:gz") as archive:
            archive.extractall(fresh, filter="data")
    except (tarfile.TarError, EOFError, TypeError) as error:
        remove_tree(fresh)
        raise OSError(f"it cannot be unpacked: {error}") from error
    fresh.rename(place)
    part.unlink()


def _part(place: Path) -> Path:
    return place.with_name(f"{place.name}.part")
