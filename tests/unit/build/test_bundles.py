"""Packing a directory and unpacking the archive: the same files, and nothing else."""

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.build.bundles import UnpackLimits, unpack
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.bundle import Bundle, pack

AS_ROOT = os.geteuid() == 0
SEGMENT = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=12
).filter(
    lambda name: name not in {".", "..", ".git", ".venv", "__pycache__", ".gitignore", ".gwignore"}
)
CONTENTS = st.dictionaries(
    st.lists(SEGMENT, min_size=1, max_size=3).map(tuple),
    st.tuples(st.binary(max_size=2000), st.booleans()),
    max_size=12,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    path.mkdir()
    return path


def write(project: Path, *names: str) -> None:
    for name in names:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(f"this is {name}\n")


def packed(project: Path, archive: Path | None = None) -> Bundle:
    return pack(project, archive=archive or project.parent / "bundle.tar.gz")


def names_in(bundle: Bundle) -> list[str]:
    with tarfile.open(bundle.path) as tar:
        return [member.name for member in tar if not member.isdir()]


def refused_pack(project: Path, limit_bytes: int = 1 << 20) -> RefusalError:
    archive = project.parent / "refused.tar.gz"
    with pytest.raises(RefusalError) as caught:
        pack(project, archive=archive, limit_bytes=limit_bytes)
    assert not archive.exists()
    return caught.value


def snapshot(directory: Path) -> dict[str, tuple[bytes, bool] | str]:
    """Every file with its bytes and whether it is executable, every symlink with its target."""
    found: dict[str, tuple[bytes, bool] | str] = {}
    for path in directory.rglob("*"):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
    return found


def test_unpacking_gives_back_what_was_packed(project: Path, tmp_path: Path) -> None:
    write(project, "train.py", "lib/model.py", "deep/er/data.txt")
    (project / "run.sh").write_text("#!/bin/sh\n")
    (project / "run.sh").chmod(0o700)
    (project / "latest").symlink_to("deep/er")
    (project / "empty").mkdir()
    bundle = packed(project)
    target = unpack(bundle.path, tmp_path / "out", digest=bundle.digest)
    assert snapshot(target) == snapshot(project)
    assert (target / "empty").is_dir()
    assert (bundle.files, bundle.size_bytes) == (5, bundle.path.stat().st_size)


@settings(deadline=None, max_examples=40)
@given(contents=CONTENTS)
def test_any_directory_comes_back_the_same(
    contents: dict[tuple[str, ...], tuple[bytes, bool]],
) -> None:
    with TemporaryDirectory() as place:
        project = Path(place, "project")
        project.mkdir()
        for parts, (data, executable) in sorted(contents.items()):
            path = project.joinpath(*parts)
            if path.exists() or any(parent.is_file() for parent in path.parents):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o755 if executable else 0o644)
        bundle = packed(project)
        target = unpack(bundle.path, Path(place, "out"), digest=bundle.digest)
        assert snapshot(target) == snapshot(project)


def test_times_owners_and_the_order_of_writing_do_not_count(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    write(first, "a.py", "b/c.py")
    write(second, "b/c.py", "a.py")
    os.utime(second / "a.py", (1, 1))
    (second / "a.py").chmod(0o600)
    digests = {packed(path, tmp_path / f"{path.name}.tgz").digest for path in (first, second)}
    assert len(digests) == 1


def test_content_names_and_the_executable_bit_count(project: Path) -> None:
    write(project, "a.py")
    digests = {packed(project).digest}
    (project / "a.py").chmod(0o755)
    digests.add(packed(project).digest)
    (project / "a.py").write_text("other")
    digests.add(packed(project).digest)
    (project / "a.py").rename(project / "b.py")
    digests.add(packed(project).digest)
    assert len(digests) == 4


def test_the_digest_is_of_the_archive(project: Path) -> None:
    write(project, "a.py")
    bundle = packed(project)
    assert bundle.digest == "sha256:" + hashlib.sha256(bundle.path.read_bytes()).hexdigest()


def test_without_a_place_a_temporary_file_is_made(project: Path) -> None:
    write(project, "a.py")
    bundle = pack(project)
    try:
        assert names_in(bundle) == ["a.py"]
    finally:
        bundle.path.unlink()


def test_ignored_files_stay_out_at_every_level(project: Path) -> None:
    write(
        project,
        "keep.py", "a.log", "keep.log", "build/x", "data/x", "src/data/x", "src/deep/b.log",
        "src/secret.txt", "other/secret.txt", ".git/config", ".venv/bin/python",
        "src/__pycache__/x.pyc",
    )  # fmt: skip
    (project / ".gitignore").write_text("*.log\n!keep.log\nbuild/\n/data\n")
    (project / "src" / ".gitignore").write_text("secret.txt\n!b.log\n")
    assert names_in(packed(project)) == [
        ".gitignore", "keep.log", "keep.py", "other/secret.txt", "src/.gitignore", "src/data/x",
        "src/deep/b.log",
    ]  # fmt: skip


def test_gwignore_comes_after_gitignore(project: Path) -> None:
    write(project, "model.pt", "notes.md", "train.py")
    (project / ".gitignore").write_text("*.pt\n")
    (project / ".gwignore").write_text("!model.pt\n*.md\n")
    assert names_in(packed(project)) == [".gitignore", ".gwignore", "model.pt", "train.py"]


def test_the_rules_of_the_repository_above_hold(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.pt\n/examples/out/\n")
    write(tmp_path / "examples", "train.py", "big.pt", "out/x")
    assert names_in(packed(tmp_path / "examples")) == ["train.py"]


def test_a_directory_that_the_repository_ignores_is_packed_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("generated/\n")
    write(tmp_path / "generated", "train.py")
    assert names_in(packed(tmp_path / "generated")) == ["train.py"]


def test_rules_above_the_repository_do_not_hold(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*\n")
    write(tmp_path / "repository", "train.py")
    (tmp_path / "repository" / ".git").mkdir()
    assert names_in(packed(tmp_path / "repository")) == ["train.py"]


def test_an_absolute_symlink_inside_becomes_a_relative_one(project: Path, tmp_path: Path) -> None:
    write(project, "data/x")
    (project / "sub").mkdir()
    (project / "sub" / "link").symlink_to(project / "data" / "x")
    bundle = packed(project)
    target = unpack(bundle.path, tmp_path / "out", digest=bundle.digest)
    assert str((target / "sub" / "link").readlink()) == "../data/x"


@pytest.mark.parametrize("leads", ["/etc/passwd", "../other", "sub/../../other"])
def test_a_symlink_that_leads_outside_is_refused_by_name(project: Path, leads: str) -> None:
    write(project, "sub/x")
    (project / "link").symlink_to(leads)
    refusal = refused_pack(project)
    assert refusal.code is RefusalCode.INVALID
    assert f"link is a symlink to '{leads}', outside the directory" in refusal.detail
    assert refusal.hint == "leave it out with a line in .gwignore"


def test_a_special_file_is_refused_by_name(project: Path) -> None:
    os.mkfifo(project / "pipe")
    assert "pipe is neither a file, a directory nor a symlink" in refused_pack(project).detail


@pytest.mark.skipif(AS_ROOT, reason="root reads everything")
def test_unreadable_files_are_named(project: Path) -> None:
    write(project, "a.py", "b.py")
    (project / "b.py").chmod(0)
    assert "b.py cannot be read: permission denied" in refused_pack(project).detail


def test_over_the_limit_the_ten_largest_files_are_named(project: Path) -> None:
    for size in range(12):
        (project / f"{size:02}.bin").write_bytes(b"x" * size * 1024)
    refusal = refused_pack(project, limit_bytes=10_000)
    assert refusal.code is RefusalCode.TOO_LARGE
    named = refusal.detail.partition("largest files: ")[2]
    assert [each.split()[0] for each in named.split(", ")] == [
        f"{n:02}.bin" for n in range(11, 1, -1)
    ]
    assert "0.1 MiB, of at most 0.0 MiB" in refusal.detail


def test_an_instances_data_directory_is_no_code(project: Path) -> None:
    inside = project / "state"
    inside.mkdir()
    for name in ("instance.lock", "token"):
        (inside / name).touch()
    with tarfile.open(pack(project).path) as archive:
        assert not [name for name in archive.getnames() if name.startswith("state")]
    with pytest.raises(RefusalError) as refused:
        pack(inside)
    assert "data directory" in refused.value.detail


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    assert refused_pack(tmp_path / "missing").code is RefusalCode.NOT_FOUND
    (tmp_path / "file").write_text("")
    assert refused_pack(tmp_path / "file").code is RefusalCode.INVALID


def test_an_empty_directory_is_a_bundle(project: Path, tmp_path: Path) -> None:
    bundle = packed(project)
    assert snapshot(unpack(bundle.path, tmp_path / "out", digest=bundle.digest)) == {}


def archive_of(tmp_path: Path, fill: Callable[[tarfile.TarFile], None]) -> tuple[Path, str]:
    path = tmp_path / "made.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        fill(tar)
    return path, "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def entry(name: str, **fields: object) -> Callable[[tarfile.TarFile], None]:
    def fill(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        data = b"x" * 10 if "type" not in fields else b""
        info.size = len(data)
        for field, value in fields.items():
            setattr(info, field, value)
        tar.addfile(info, io.BytesIO(data))

    return fill


def entries(*fills: Callable[[tarfile.TarFile], None]) -> Callable[[tarfile.TarFile], None]:
    def fill(tar: tarfile.TarFile) -> None:
        for each in fills:
            each(tar)

    return fill


def link(name: str, target: str) -> Callable[[tarfile.TarFile], None]:
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


def refused_unpack(
    tmp_path: Path, fill: Callable[[tarfile.TarFile], None], limits: UnpackLimits | None = None
) -> RefusalError:
    path, digest = archive_of(tmp_path, fill)
    target = tmp_path / "out" / "target"
    with pytest.raises(RefusalError) as caught:
        unpack(path, target, digest=digest, limits=limits)
    assert [each.name for each in target.parent.iterdir()] == ["target.lock"]
    return caught.value


@pytest.mark.parametrize(
    "fill",
    [
        entry("/etc/x"),
        entry("../x"),
        entry("a/../../x"),
        entry("a/.."),
        link("l", "/etc/passwd"),
        link("l", ".."),
        link("a/l", "../../x"),
        link("l", "a/../../x"),
        entry("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        entry("device", type=tarfile.CHRTYPE),
        entry("block", type=tarfile.BLKTYPE),
        entry("pipe", type=tarfile.FIFOTYPE),
        entry("suid", mode=0o4755),
        entry("sgid", mode=0o2755),
        entries(entry("a"), entry("a")),
        entries(entry("a"), entry("a/b")),
        entries(link("a", "b"), entry("a/b")),
        entries(link("d", "sub"), link("d/e", "x"), entry("sub/y")),
        # Each link leads inside by its text; followed, the second leaves.
        entries(entry("a/b/c/f"), link("a/b/c/up", "../../.."), link("a/b/c/z", "up/..")),
    ],
)
def test_an_archive_that_would_reach_outside_is_refused_and_leaves_nothing(
    tmp_path: Path, fill: Callable[[tarfile.TarFile], None]
) -> None:
    assert refused_unpack(tmp_path, fill).code is RefusalCode.INVALID


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    fill = entries(*(entry(f"f{n}") for n in range(4)))
    refusal = refused_unpack(tmp_path, fill, UnpackLimits(entries=3))
    assert refusal.code is RefusalCode.TOO_LARGE
    assert refusal.detail == "this bundle expands to more than 3 files and directories"


def test_too_many_bytes_are_refused_before_they_are_written(tmp_path: Path) -> None:
    fill = entries(*(entry(f"f{n}") for n in range(4)))
    assert (
        refused_unpack(tmp_path, fill, UnpackLimits(expanded_bytes=39)).code
        is RefusalCode.TOO_LARGE
    )


def archive_of_bytes(tmp_path: Path, data: bytes) -> tuple[Path, str]:
    path = tmp_path / "made.tar.gz"
    path.write_bytes(data)
    return path, "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_header_without_end_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 1 << 32
    path, digest = archive_of_bytes(tmp_path, gzip.compress(info.tobuf() + b"x" * 1024))
    with pytest.raises(RefusalError, match="a header without end"):
        unpack(path, tmp_path / "target", digest=digest)


@pytest.mark.parametrize("data", [b"", b"no archive", gzip.compress(b"no tar" * 200, mtime=0)])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    path, digest = archive_of_bytes(tmp_path, data)
    with pytest.raises(RefusalError, match="it is no whole tar"):
        unpack(path, tmp_path / "target", digest=digest)


def test_an_archive_cut_short_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "noise").write_bytes(bytes(hashlib.sha256(b"x").digest() * 2000))
    data = packed(project).path.read_bytes()
    path, digest = archive_of_bytes(tmp_path, data[: len(data) // 2])
    with pytest.raises(RefusalError, match="it is no whole tar"):
        unpack(path, tmp_path / "target", digest=digest)


def test_an_archive_with_another_digest_is_refused(project: Path, tmp_path: Path) -> None:
    write(project, "a.py")
    bundle = packed(project)
    wanted = "sha256:" + "0" * 64
    with pytest.raises(RefusalError) as caught:
        unpack(bundle.path, tmp_path / "out", digest=wanted)
    assert caught.value.code is RefusalCode.DIGEST_MISMATCH
    assert wanted in caught.value.detail
    assert bundle.digest in caught.value.detail


def test_what_is_there_is_not_unpacked_again(project: Path, tmp_path: Path) -> None:
    write(project, "a.py")
    bundle = packed(project)
    target = unpack(bundle.path, tmp_path / "out", digest=bundle.digest)
    bundle.path.unlink()
    assert unpack(bundle.path, tmp_path / "out", digest=bundle.digest) == target


def test_what_a_kill_left_is_cleared(project: Path, tmp_path: Path) -> None:
    write(project, "a.py")
    bundle = packed(project)
    write(tmp_path / "out.partial", "half")
    target = unpack(bundle.path, tmp_path / "out", digest=bundle.digest)
    assert set(snapshot(target)) == {"a.py"}
    assert not (tmp_path / "out.partial").exists()
