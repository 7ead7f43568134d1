"""Checkpoints looked at again and deleted, for every engine whose checkpoint directories this process can reach.

These block: call them in a thread. They read what the supervisor wrote down when a checkpoint was reported.
"""

import errno
import os
import shutil
import stat
from pathlib import Path, PurePosixPath

from gigawatt.engine.supervisor import manifest
from gigawatt.engine.supervisor.manifest import Manifest, ManifestFile
from gigawatt.model.checkpoint import Candidate, Checkpoint, Finding

READ_AT_LAUNCH_BYTES_MAX = (
    4 << 30
)  # of files that were touched since; seconds, while a launch waits


def look_again(candidate: Candidate, *, contents: bool) -> Finding:
    """Whether a checkpoint is as it was reported. `contents` reads all of it; else only what was touched since."""
    checkpoint, within = candidate.checkpoint, candidate.within
    path = checkpoint.path
    try:
        kept = manifest.recall(path, within, digest=checkpoint.manifest)
        if not checkpoint.manifest or kept is None:
            return Finding(path=path, fault=_fault_of_totals(checkpoint))
        root = manifest.root_of(path)
        states = [manifest.state_of(file, root) for file in kept.files]
        fault = next((said for said, _ in states if said), "")
        if fault:
            return Finding(path=path, fault=fault)
        touched = {file for file, (_, changed) in zip(kept.files, states, strict=True) if changed}
        return _read(kept, within, touched=touched, contents=contents)
    except (OSError, ValueError) as error:
        return Finding(path=path, fault=_words(error))


def remove(within: str, path: str) -> Finding:
    """Delete a checkpoint's files. Outside of `within`, or through a link, nothing is deleted and the finding says so."""
    wanted, root = PurePosixPath(path), PurePosixPath(within)
    if not wanted.is_relative_to(root) or wanted == root or ".." in wanted.parts:
        return Finding(path=path, fault=f"it is not below {within}")
    try:
        _delete(within, wanted.relative_to(root).parts)
        manifest.forget(path, within)
    except FileNotFoundError:
        manifest.forget(path, within)
    except OSError as error:
        link = error.errno in {errno.ELOOP, errno.ENOTDIR}
        fault = "a link leads there; links are not followed" if link else _words(error)
        return Finding(path=path, fault=fault)
    return Finding(path=path)


def _read(kept: Manifest, within: str, *, touched: set[ManifestFile], contents: bool) -> Finding:
    """Compare contents: all of them, or those of files that were touched since the report."""
    too_large = sum(file.size for file in touched) > READ_AT_LAUNCH_BYTES_MAX
    for file in sorted(touched):
        if not file.sha256 or (too_large and not contents):
            return Finding(path=kept.path, fault=_rewritten(file, kept.path))
    root = manifest.root_of(kept.path)
    files: list[ManifestFile] = []
    for file in kept.files:
        to_read = contents or file in touched
        sha256 = manifest.content_of(file, root) if to_read else file.sha256
        if file.sha256 and sha256 != file.sha256:
            name = file.name or PurePosixPath(kept.path).name
            return Finding(path=kept.path, fault=f"the content of {name} is not what it was")
        files.append(file._replace(sha256=sha256))
    known = kept._replace(files=tuple(files))
    if known != kept:
        manifest.keep(known, within)
    return Finding(path=kept.path, digest=known.content_digest)


def _fault_of_totals(checkpoint: Checkpoint) -> str:
    """Without a manifest: it must be there, with as many bytes as were reported where that is known."""
    if not checkpoint.files:
        Path(checkpoint.path).stat()
        return ""
    now = manifest.look(checkpoint.path)
    if (now.size_bytes, len(now.files)) == (checkpoint.size_bytes, checkpoint.files):
        return ""
    return (
        f"it has {now.size_bytes} bytes in {len(now.files)} files, and had "
        f"{checkpoint.size_bytes} in {checkpoint.files} when it was reported"
    )


def _delete(within: str, parts: tuple[str, ...]) -> None:
    """Go down from `within` without following a link, and delete the last part."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    directory = os.open(within, flags)
    try:
        for part in parts[:-1]:
            below = os.open(part, flags, dir_fd=directory)
            os.close(directory)
            directory = below
        found = os.stat(parts[-1], dir_fd=directory, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            raise OSError(errno.ELOOP, "a link", parts[-1])
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(parts[-1], dir_fd=directory)  # removes links, and follows none
        else:
            os.unlink(parts[-1], dir_fd=directory)
    finally:
        os.close(directory)


def _rewritten(file: ManifestFile, path: str) -> str:
    name = file.name or PurePosixPath(path).name
    return f"{name} was written to after it was reported, and its content cannot be compared now"


def _words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
