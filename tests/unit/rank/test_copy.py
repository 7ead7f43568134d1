"""Copies: what arrives is what was sent, and a poisoned stream does nothing."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gigawatt.rank.copy import FORMAT, receive, send
from gigawatt.rank.entries import CopyError


def stream_of(source: Path, *, follow: bool = False) -> bytes:
    sent = io.BytesIO()
    send(source, sent.write, follow=follow)
    return sent.getvalue()


def unpacked(stream: bytes, target: Path) -> Path:
    return Path(receive(io.BytesIO(stream).read, target).path)


def tree_of(root: Path) -> dict[str, object]:
    """Everything below by path: content or target, and mode."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            content = path.read_bytes() if path.is_file() else None
            found[name] = (content, path.stat().st_mode & 0o777)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "from" / "things"
    (root / "a" / "b").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a" / "run.sh").write_text("#!/bin/sh\n")
    (root / "a" / "run.sh").chmod(0o755)
    (root / "a" / "b" / "big").write_bytes(os.urandom(3 << 20))
    (root / "a" / "ünï\n").write_bytes(b"")
    (root / "newest").symlink_to("a/b/big")
    (root / "a" / "up").symlink_to("../a/run.sh")
    (root / "closed").mkdir()
    (root / "closed" / "in").write_text("x")
    (root / "closed").chmod(0o555)
    return root


def test_a_tree_arrives_as_it_was_sent(source: Path, tmp_path: Path) -> None:
    place = unpacked(stream_of(source), tmp_path / "to")
    assert place == tmp_path / "to"
    assert tree_of(place) == tree_of(source)
    assert (place / "a" / "run.sh").stat().st_mtime == int(
        (source / "a" / "run.sh").stat().st_mtime
    )


def test_into_a_directory_it_goes_by_its_own_name(source: Path, tmp_path: Path) -> None:
    assert unpacked(stream_of(source / "a" / "run.sh"), tmp_path) == tmp_path / "run.sh"
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o755
    assert unpacked(stream_of(source), tmp_path) == tmp_path / "things"


def test_a_file_is_replaced_and_a_directory_is_not(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "run.sh"
    target.write_text("old")
    unpacked(stream_of(source / "a" / "run.sh"), target)
    assert target.read_text() == "#!/bin/sh\n"
    stream = stream_of(source)
    unpacked(stream, tmp_path)
    with pytest.raises(CopyError, match="is there already"):
        unpacked(stream, tmp_path)


def test_a_link_that_leads_out_is_named_and_followed_on_request(
    source: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "secret"
    outside.write_text("s")
    (source / "a" / "out").symlink_to(outside)
    with pytest.raises(CopyError, match="the link things/a/out leads out") as caught:
        stream_of(source)
    assert "--follow" in caught.value.hint
    place = unpacked(stream_of(source, follow=True), tmp_path / "to")
    assert (place / "a" / "out").read_text() == "s"
    assert not (place / "a" / "out").is_symlink()


def test_links_in_a_circle_end(source: Path) -> None:
    (source / "a" / "again").symlink_to("..")
    with pytest.raises(CopyError, match="circle"):
        stream_of(source, follow=True)


def test_what_is_not_there_is_said_with_what_is(source: Path) -> None:
    with pytest.raises(CopyError, match="there is no") as caught:
        stream_of(source / "nope")
    assert "closed, empty" in caught.value.hint


def test_a_stream_that_ends_early_or_is_damaged_leaves_nothing(
    source: Path, tmp_path: Path
) -> None:
    stream = stream_of(source)
    target = tmp_path / "to"
    flipped = bytearray(stream)
    flipped[len(stream) // 2] ^= 1
    for bad in (b"", stream[:100], stream[: len(stream) // 2], stream[:-1], bytes(flipped)):
        with pytest.raises(CopyError):
            unpacked(bad, target)
        assert [each.name for each in tmp_path.iterdir()] == ["from"]


def test_what_a_killed_copy_left_is_swept(source: Path, tmp_path: Path) -> None:
    left = tmp_path / ".to.gw-copy-999999999"
    left.mkdir()
    (left / "half").write_text("x")
    unpacked(stream_of(source), tmp_path / "to")
    assert not left.exists()


def poisoned(fill: Callable[[tarfile.TarFile], None], **header: object) -> bytes:
    """A stream with a right digest and an archive that was made by hand."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        root = tarfile.TarInfo("d")
        root.type, root.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(root)
        fill(tar)
    fields = {"format": FORMAT, "name": "d", "directory": True, "entries": 2, "size_bytes": 1}
    data = json.dumps({**fields, **header}).encode() + b"\n" + archive.getvalue()
    return data + hashlib.sha256(data).hexdigest().encode()


def entry(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 1):
    def fill(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        info.size = size if kind == tarfile.REGTYPE else 0
        tar.addfile(info, io.BytesIO(b"x" * info.size) if info.size else None)

    return fill


def two(first: Callable[[tarfile.TarFile], None], second: Callable[[tarfile.TarFile], None]):
    def fill(tar: tarfile.TarFile) -> None:
        first(tar)
        second(tar)

    return fill


@pytest.mark.parametrize(
    "stream",
    [
        poisoned(entry("../out")),
        poisoned(entry("/out")),
        poisoned(entry("d/../../out")),
        poisoned(entry("d/./x")),
        poisoned(entry("e")),
        poisoned(entry("d/no/parent")),
        poisoned(entry("d/l", kind=tarfile.SYMTYPE, link="/etc")),
        poisoned(entry("d/l", kind=tarfile.SYMTYPE, link="../out")),
        poisoned(entry("d/l", kind=tarfile.SYMTYPE, link="x/../../..")),
        poisoned(
            two(
                entry("d/l", kind=tarfile.SYMTYPE, link="."),
                entry("d/l/x"),
            ),
            entries=3,
        ),
        poisoned(two(entry("d/x"), entry("d/x")), entries=3, size_bytes=2),
        poisoned(entry("d/l", kind=tarfile.LNKTYPE, link="d")),
        poisoned(entry("d/p", kind=tarfile.FIFOTYPE)),
        poisoned(entry("d/c", kind=tarfile.CHRTYPE)),
        poisoned(entry("d/x", size=2)),  # more than was said
        poisoned(two(entry("d/x"), entry("d/y"))),  # more entries than were said
        poisoned(entry("d/x"), size_bytes=2),
        poisoned(entry("d/x"), name=".."),
        poisoned(entry("d/x"), name="a/b"),
        poisoned(entry("d/x"), format=1),
        poisoned(entry("d/x"), size_bytes=1 << 50),
        poisoned(entry("d/x"), entries=0),
        poisoned(entry("d/x"), kept_entries=1, kept_sha256="0"),  # nothing was kept
        poisoned(entry("d/x"), kept_entries=-1),
        b"{" * 20_000,
    ],
)
def test_a_poisoned_stream_is_refused_and_leaves_nothing(stream: bytes, tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    with pytest.raises((CopyError, FileExistsError)):
        receive(io.BytesIO(stream).read, place / "d")
    assert list(place.iterdir()) == []
    assert [each.name for each in tmp_path.iterdir()] == ["in"]


def test_what_does_not_fit_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    stream = poisoned(entry("d/x"), size_bytes=1 << 43)
    with pytest.raises(CopyError, match="do not fit") as caught:
        receive(io.BytesIO(stream).read, tmp_path / "to")
    assert "make room" in caught.value.hint
