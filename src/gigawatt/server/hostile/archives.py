"""Bundles that try to get out of where they are unpacked."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from gigawatt.build.bundles import unpack
from gigawatt.model.refusal import RefusalError
from gigawatt.server.hostile.report import Seen

PLANTED = "gigawatt-planted"


def archive_tricks(data: Path) -> tuple[Seen, str]:
    """Each in an archive of its own; what came of them."""
    place = data / "tricks"
    place.mkdir(exist_ok=True)
    outside = place / "outside"
    outside.mkdir(exist_ok=True)
    refused = 0
    for name, build in TRICKS.items():
        archive, target = place / f"{name}.tar.gz", place / "bundles" / name
        target.parent.mkdir(exist_ok=True)
        archive.write_bytes(_packed(build, outside))
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        try:
            unpack(archive, target, digest=f"sha256:{digest}")
        except RefusalError:
            refused += 1
        found = [*outside.iterdir(), *place.glob(PLANTED), *Path("/").glob(PLANTED)]
        found += [path for path in target.rglob("*") if _is_bad(path, target)]
        if found:
            return "open", f"{name}: {found[0]}"
    return (
        "contained",
        f"{refused} of {len(TRICKS)} were refused, and nothing came out of the others",
    )


def _parent(archive: tarfile.TarFile, _outside: Path) -> None:
    _file(archive, f"../../{PLANTED}")


def _absolute(archive: tarfile.TarFile, outside: Path) -> None:
    _file(archive, f"{outside}/{PLANTED}")


def _through_link(archive: tarfile.TarFile, outside: Path) -> None:
    _entry(archive, "out", tarfile.SYMTYPE, str(outside))
    _file(archive, f"out/{PLANTED}")


def _relative_link(archive: tarfile.TarFile, _outside: Path) -> None:
    _entry(archive, "up", tarfile.SYMTYPE, "../../outside")
    _file(archive, f"up/{PLANTED}")


def _hard_link(archive: tarfile.TarFile, _outside: Path) -> None:
    _entry(archive, "passwd", tarfile.LNKTYPE, "/etc/passwd")


def _device(archive: tarfile.TarFile, _outside: Path) -> None:
    _entry(archive, "disk", tarfile.BLKTYPE, "")


def _pipe(archive: tarfile.TarFile, _outside: Path) -> None:
    _entry(archive, "pipe", tarfile.FIFOTYPE, "")


TRICKS: dict[str, Callable[[tarfile.TarFile, Path], None]] = {
    "parent": _parent,
    "absolute": _absolute,
    "through-link": _through_link,
    "relative-link": _relative_link,
    "hard-link": _hard_link,
    "device": _device,
    "pipe": _pipe,
}


def _packed(build: Callable[[tarfile.TarFile, Path], None], outside: Path) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        build(archive, outside)
    return whole.getvalue()


def _file(archive: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(PLANTED)
    archive.addfile(info, io.BytesIO(PLANTED.encode()))


def _entry(archive: tarfile.TarFile, name: str, kind: bytes, link: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    archive.addfile(info)


def _is_bad(path: Path, target: Path) -> bool:
    """Neither a file nor a directory, or one that is another's."""
    if path.is_symlink():
        return not path.resolve().is_relative_to(target.resolve())
    return not (path.is_dir() or (path.is_file() and path.stat().st_nlink == 1))
